"""Baselines of the SymGNN paper (its table 3) with the methods of `SymGNN`: MLP, GCN, E(n) GNN, SchNet and MGCN.

They follow their papers, except where a host of many ranks could not: normalisations use only data of an atom and its
own neighbours. FAENet is in `vitrify.symgnn.models.frames`, the attention network on lengths in
`vitrify.symgnn.models.paper`.
"""

# No postponed annotations here: TorchScript must see the real types.

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from vitrify.graphs.graph import sum_over_centres
from vitrify.models.base import ModelConfig, System
from vitrify.symgnn.models.blocks import (
    BatchNorm,
    BlockConfig,
    BlockSymGNN,
    GaussianBasis,
    lengths,
    mean_over_centres,
    regression_head,
)


class MLPConfig(ModelConfig):
    """Hyperparameters of the MLP.

    cutoff: of the graph, in the unit of length. width: of hidden layers. inputs: types: only the type of an atom;
    vectors: also the mean of its edge vectors, as in the paper.
    """

    variant: Literal["mlp"] = "mlp"
    cutoff: float = Field(5.0, gt=0)
    width: int = Field(32, ge=1)
    inputs: Literal["vectors", "types"] = "vectors"


class MeanVector(nn.Module):
    """Appends the mean edge vector of an atom, times `scale`, to its features."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        mean = mean_over_centres(edge_vectors * self.scale, edge_index[0], n_owned)
        return torch.cat([nodes[:n_owned, :-3], mean], dim=1), memory


class MLPSymGNN(BlockSymGNN):
    """An MLP on the features of each atom, without a graph."""

    def __init__(self, config: MLPConfig, system: System) -> None:
        n, width = len(system.species), config.width
        # The mean of about 30 vectors is small: the factor brings it to about 1.
        scale = 10.0 / config.cutoff if config.inputs == "vectors" else 0.0
        head = nn.Sequential(nn.Linear(n + 3, width), nn.SiLU(), regression_head(width, width))
        super().__init__(system, config.cutoff, n + 3, [MeanVector(scale)], head)

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        one_hot = functional.one_hot(types, self.n_species).to(edge_vectors.dtype)
        nodes = torch.cat([one_hot, edge_vectors.new_zeros([types.shape[0], 3])], dim=1)
        return nodes, edge_vectors.new_zeros([0, 0])


class GCNConfig(BlockConfig):
    """Hyperparameters of the GCN: those of `BlockConfig`. A block is a graph convolution."""

    variant: Literal["gcn"] = "gcn"


class ConvolutionBlock(nn.Module):
    """h_i' = h_i + SiLU(BatchNorm(U h_i + sum_j (V h_j) * (C f_ij))), f_ij features of the vector r_ij.

    The batch normalisation replaces 1/sqrt(d_i d_j), since a rank does not know the degrees of ghosts. Without it, the
    common part of the sums over about 30 neighbours dominates, and nothing is learned in minutes.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.own = nn.Linear(width, width)
        self.neighbour = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, width)
        self.norm = BatchNorm(width)

    def forward(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        messages = self.neighbour(nodes).index_select(0, edge_index[1]) * self.gate(memory)
        owned = nodes[:n_owned]
        total = sum_over_centres(messages, edge_index[0], n_owned)
        return owned + functional.silu(self.norm(self.own(owned) + total)), memory


class GCNSymGNN(BlockSymGNN):
    """Graph convolutions (Kipf and Welling, 2017) with displacement vectors as edge features; not invariant."""

    def __init__(self, config: GCNConfig, system: System) -> None:
        width = config.width
        blocks: list[nn.Module] = [ConvolutionBlock(width) for _ in range(config.layers)]
        super().__init__(system, config.cutoff, width, blocks, regression_head(width, width))
        self.embedding = nn.Embedding(self.n_species, width)
        self.encoder = nn.Sequential(nn.Linear(3, width), nn.SiLU())

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        return self.embedding(types), self.encoder(edge_vectors * (2.0 / self.cutoff))


class EGNNConfig(BlockConfig):
    """Hyperparameters of the E(n) GNN: those of `BlockConfig`. A block is a message-passing layer."""

    variant: Literal["egnn"] = "egnn"


class EquivariantBlock(nn.Module):
    """One layer of the E(n) GNN (Satorras et al., 2021, eqs. 3 to 6) on displaced edge vectors.

    d_ij  = r_ij + u_j - u_i,  m_ij = phi_e(h_i, h_j, |d_ij|^2)
    u_i  += mean_j d_ij phi_x(m_ij),  h_i += phi_h(h_i, BatchNorm(sum_j m_ij))

    The coordinates of the paper are r_i + u_i here. Nodes [u (3), h] hold displacements, which do not depend on the
    cell and are exchanged like any feature, so that periodic images and several ranks give exact results. All layers
    use the graph of the input.
    """

    def __init__(self, width: int, cutoff: float, last: bool) -> None:
        super().__init__()
        self.scale = 1.0 / cutoff
        self.last = last  # nothing reads the displacements of the last layer
        self.centre = nn.Linear(width, width)
        self.neighbour = nn.Linear(width, width, bias=False)
        self.square = nn.Linear(1, width, bias=False)
        self.message = nn.Linear(width, width)
        self.shift: nn.Module = nn.Identity()
        if not last:
            final = nn.Linear(width, 1, bias=False)
            nn.init.xavier_uniform_(final.weight, gain=0.001)
            self.shift = nn.Sequential(nn.Linear(width, width), nn.SiLU(), final)
        # Without it, the common part of the sums over about 30 neighbours dominates.
        self.norm = BatchNorm(width)
        self.update = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        i, j = edge_index[0], edge_index[1]
        displacements, h = nodes[:, :3], nodes[:, 3:]
        d = edge_vectors + (displacements.index_select(0, j) - displacements.index_select(0, i))
        squares = (d * self.scale).square().sum(1, keepdim=True)
        ends = self.centre(h).index_select(0, i) + self.neighbour(h).index_select(0, j)
        messages = functional.silu(self.message(functional.silu(ends + self.square(squares))))
        new = displacements[:n_owned]
        if not self.last:
            new = new + mean_over_centres(d * self.shift(messages), i, n_owned)
        owned = h[:n_owned]
        total = self.norm(sum_over_centres(messages, i, n_owned))
        return torch.cat([new, owned + self.update(torch.cat([owned, total], dim=1))], dim=1), memory


class EGNNSymGNN(BlockSymGNN):
    """E(n) equivariant graph network; the regression head reads the invariant features only."""

    def __init__(self, config: EGNNConfig, system: System) -> None:
        width = config.width
        blocks: list[nn.Module] = [
            EquivariantBlock(width, config.cutoff, number + 1 == config.layers) for number in range(config.layers)
        ]
        super().__init__(system, config.cutoff, 3 + width, blocks, regression_head(width, width))
        self.embedding = nn.Embedding(self.n_species, width)

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        nodes = torch.cat([edge_vectors.new_zeros([types.shape[0], 3]), self.embedding(types)], dim=1)
        return nodes, edge_vectors.new_zeros([0, 0])

    def features(self, nodes: Tensor, memory: Tensor, types: Tensor, n_owned: int) -> Tensor:
        return nodes[:n_owned, 3:]


class SchNetConfig(BlockConfig):
    """Hyperparameters of SchNet, in addition to those of `BlockConfig`. basis: number of Gaussians of the length."""

    variant: Literal["schnet"] = "schnet"
    basis: int = Field(25, ge=2)


class ShiftedSoftplus(nn.Module):
    """log(1 + exp x) - log 2."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.softplus(x) - math.log(2.0)


class InteractionBlock(nn.Module):
    """h_i += D ssp(C sum_j (B h_j) * W(|r_ij|)): interaction and continuous filters of SchNet (Schuett et al., 2017).

    Memory: the Gaussians of each edge (E, basis). Equal to torch-geometric's block, which TorchScript cannot compile.
    """

    def __init__(self, width: int, basis: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.filters = nn.Sequential(nn.Linear(basis, width), ShiftedSoftplus(), nn.Linear(width, width))
        self.neighbour = nn.Linear(width, width, bias=False)
        self.update = nn.Sequential(nn.Linear(width, width), ShiftedSoftplus(), nn.Linear(width, width))

    def forward(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        fade = 0.5 * (torch.cos(lengths(edge_vectors) * (math.pi / self.cutoff)) + 1.0)
        messages = self.neighbour(nodes).index_select(0, edge_index[1]) * self.filters(memory)
        total = sum_over_centres(messages * fade.unsqueeze(1), edge_index[0], n_owned)
        return nodes[:n_owned] + self.update(total), memory


class SchNetSymGNN(BlockSymGNN):
    """SchNet with a regression head for each atom: exactly invariant, but without angles."""

    def __init__(self, config: SchNetConfig, system: System) -> None:
        width = config.width
        blocks: list[nn.Module] = [InteractionBlock(width, config.basis, config.cutoff) for _ in range(config.layers)]
        head = nn.Sequential(nn.Linear(width, width), ShiftedSoftplus(), nn.Linear(width, 1))
        super().__init__(system, config.cutoff, width, blocks, head)
        self.embedding = nn.Embedding(self.n_species, width)
        self.basis = GaussianBasis(config.cutoff, config.basis)

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        return self.embedding(types), self.basis(lengths(edge_vectors))


class MGCNConfig(BlockConfig):
    """Hyperparameters of MGCN, in addition to those of `BlockConfig`; a block is a level of interactions.

    basis: number of Gaussians of the length. retained: part of an edge's features that a level keeps.
    """

    variant: Literal["mgcn"] = "mgcn"
    basis: int = Field(25, ge=2)
    retained: float = Field(0.8, gt=0, lt=1)


class LevelBlock(nn.Module):
    """One level of MGCN (Lu et al., 2019), with nodes a and edges e.

    a_i' = a_i + MLP(BatchNorm(sum_j [(B a_j) * W(|r_ij|) + C e_ij]))
    e_ij' = retained e_ij + (1 - retained) D (a_i * a_j)

    Memory: rows of edges (E, width), then the features (n_owned, width) of the atoms at each level so far.
    """

    def __init__(self, config: MGCNConfig, last: bool) -> None:
        super().__init__()
        width = config.width
        self.retained = config.retained
        self.last = last  # nothing reads the edges after the last level
        self.basis = GaussianBasis(config.cutoff, config.basis)
        self.filters = nn.Sequential(nn.Linear(config.basis, width), nn.Softplus(), nn.Linear(width, width))
        self.neighbour = nn.Linear(width, width)
        self.pairs = nn.Linear(width, width, bias=False)
        # Without it, the common part of the sums over about 30 neighbours dominates.
        self.norm = BatchNorm(width)
        self.update = nn.Sequential(nn.Linear(width, width), nn.Softplus(), nn.Linear(width, width))
        self.edge_update = nn.Identity() if last else nn.Linear(width, width)

    def forward(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        i, j = edge_index[0], edge_index[1]
        edges, levels = memory[: i.shape[0]], memory[i.shape[0] :]
        messages = self.neighbour(nodes).index_select(0, j) * self.filters(self.basis(lengths(edge_vectors)))
        # C acts on the sum of the edges, which gives the same result at a lower cost.
        paired = self.pairs(sum_over_centres(edges, i, n_owned))
        total = sum_over_centres(messages, i, n_owned) + paired
        new = nodes[:n_owned] + self.update(self.norm(total))
        if not self.last:
            product = nodes.index_select(0, i) * nodes.index_select(0, j)
            edges = self.retained * edges + (1.0 - self.retained) * self.edge_update(product)
        return new, torch.cat([edges, levels, new])


class MGCNSymGNN(BlockSymGNN):
    """Multilevel graph convolutions on embeddings of types and pairs; the regression head reads all levels."""

    def __init__(self, config: MGCNConfig, system: System) -> None:
        width = config.width
        blocks: list[nn.Module] = [LevelBlock(config, n + 1 == config.layers) for n in range(config.layers)]
        head = regression_head(width * (config.layers + 1), width)
        super().__init__(system, config.cutoff, width, blocks, head)
        self.embedding = nn.Embedding(self.n_species, width)
        self.pairs = nn.Embedding(self.n_species * (self.n_species + 1) // 2, width)

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        a, b = types.index_select(0, edge_index[0]), types.index_select(0, edge_index[1])
        low, high = torch.minimum(a, b), torch.maximum(a, b)
        return self.embedding(types), self.pairs(high * (high + 1) // 2 + low)

    def features(self, nodes: Tensor, memory: Tensor, types: Tensor, n_owned: int) -> Tensor:
        first = memory.shape[0] - self.layers * n_owned
        levels = memory[first:].view(self.layers, n_owned, self.node_width)
        return torch.cat([self.embedding(types[:n_owned]), levels.transpose(0, 1).flatten(1)], dim=1)
