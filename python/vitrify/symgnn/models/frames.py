"""FAENet (Duval et al., 2023): a plain network made invariant by frame averaging.

FAENet rotates the whole structure into the frames of its principal axes. These axes need all atoms, and do not exist in
a periodic cell. Here each atom has frames of its own, the axes U_i of its neighbourhood, over which a layer averages:

    p_ij = U_i^T r_ij,   C_i = sum_j w(|r_ij|) r_ij r_ij^T = U_i diag U_i^T
    e_ij = SiLU(A p_ij + B rbf(|r_ij|)),   f_ij = SiLU(C e_ij + D h_i + E h_j)
    h_i += mean over frames of MLP(BatchNorm(sum_j h_j * f_ij))

In inference, the mean is over the 8 choices of signs of the axes, the frames of O(3). In training, each atom draws one
frame (the paper's stochastic frame averaging). The average is exactly invariant unless two eigenvalues of C_i coincide,
as they do in a crystal of high symmetry; for the same reason no gradient passes through the axes. BatchNorm replaces
FAENet's GraphNorm, which needs all atoms of a graph in inference too.
"""

# No postponed annotations here: TorchScript must see the real types.

import itertools
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch._jit_internal import is_scripting
from torch.nn import functional

from vitrify.graphs.graph import sum_over_centres
from vitrify.models.base import System
from vitrify.symgnn.models.blocks import BatchNorm, BlockConfig, BlockSymGNN, GaussianBasis, lengths, regression_head


class FAENetConfig(BlockConfig):
    """Hyperparameters of FAENet, in addition to those of `BlockConfig`. basis: number of Gaussians of the length."""

    variant: Literal["faenet"] = "faenet"
    basis: int = Field(16, ge=2)


class FrameBlock(nn.Module):
    """One layer, as in the module's docstring; memory (E, 3 + basis) = [p, rbf], with p in units of half the cutoff."""

    signs: Tensor

    def __init__(self, width: int, basis: int) -> None:
        super().__init__()
        self.edge = nn.Linear(3 + basis, width)
        self.filter = nn.Linear(width, width)
        self.centre = nn.Linear(width, width, bias=False)
        self.neighbour = nn.Linear(width, width, bias=False)
        self.update = nn.Sequential(BatchNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        signs = torch.ones(8, 3 + basis)
        signs[:, :3] = torch.tensor(list(itertools.product((1.0, -1.0), repeat=3)))
        self.register_buffer("signs", signs)

    def forward(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        i, j = edge_index[0], edge_index[1]
        owned, neighbours = nodes[:n_owned], nodes.index_select(0, j)
        ends = self.centre(owned).index_select(0, i) + self.neighbour(nodes).index_select(0, j)
        # Signs of axes act as signs of the weights. For training, `start` has drawn the frames.
        frames = 1 if self.training else 8
        change = torch.zeros_like(owned)
        for frame in range(frames):
            weight = self.edge.weight * self.signs[frame]
            edges = functional.silu(functional.linear(memory, weight, self.edge.bias))
            filters = functional.silu(self.filter(edges) + ends)
            change = change + self.update(sum_over_centres(neighbours * filters, i, n_owned))
        return owned + change / float(frames), memory


class FAENetSymGNN(BlockSymGNN):
    """FAENet with frames of each atom, as the module's docstring describes."""

    def __init__(self, config: FAENetConfig, system: System) -> None:
        width = config.width
        blocks: list[nn.Module] = [FrameBlock(width, config.basis) for _ in range(config.layers)]
        super().__init__(system, config.cutoff, width, blocks, regression_head(width, width))
        self.embedding = nn.Embedding(self.n_species, width)
        self.basis = GaussianBasis(config.cutoff, config.basis)

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        distances = lengths(edge_vectors)
        axes = local_axes(edge_index[0], edge_vectors * (2.0 / self.cutoff), types.shape[0])
        if not is_scripting() and self.training:
            axes = axes * (1.0 - 2.0 * torch.randint_like(axes[:, :1], 0, 2))
        inside = edge_vectors.unsqueeze(2) * axes.index_select(0, edge_index[0])
        return self.embedding(types), torch.cat([inside.sum(1) * (2.0 / self.cutoff), self.basis(distances)], dim=1)


def local_axes(centres: Tensor, vectors: Tensor, n_nodes: int) -> Tensor:
    """Principal axes (n_nodes, 3, 3), in columns, of the vectors (E, 3) of each centre.

    Lengths are in units of half the cutoff, and weights fall to zero at 2. The eigenvectors are computed in double
    precision, so that close eigenvalues do not mix the axes.
    """
    r = vectors.double()
    weights = (1.0 - 0.25 * r.square().sum(1)).clamp_min(0.0).square().view(-1, 1, 1)
    products = (weights * r.unsqueeze(2) * r.unsqueeze(1)).flatten(1)
    covariance = sum_over_centres(products, centres, n_nodes).view(-1, 3, 3)
    axes: Tensor = torch.linalg.eigh(covariance)[1]
    return axes.detach().to(vectors.dtype)
