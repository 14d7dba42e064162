"""Building blocks of the paper's variant of SymGNN and of the baselines."""

# No postponed annotations here: TorchScript must see the real types.

import torch
from pydantic import Field
from torch import Tensor, nn
from torch._jit_internal import is_scripting
from torch.nn import functional

from vitrify.graphs.graph import sum_over_centres
from vitrify.models.base import ModelConfig, System
from vitrify.symgnn.models.base import SymGNN


class BlockConfig(ModelConfig):
    """Hyperparameters of a network of blocks.

    variant: name of the variant. cutoff: of the graph, in the unit of length. layers: number of blocks. width: number
    of features of nodes, edges and messages.
    """

    variant: str
    cutoff: float = Field(5.0, gt=0)
    layers: int = Field(4, ge=1)
    width: int = Field(32, ge=1)


class BlockSymGNN(SymGNN):
    """A SymGNN whose layers are modules with the arguments of `layer` (but the index), and with a regression head.

    A variant defines `start`; it also defines `features` if the head does not read the nodes.
    """

    def __init__(
        self, system: System, cutoff: float, node_width: int, blocks: list[nn.Module], head: nn.Module
    ) -> None:
        super().__init__(system, cutoff, len(blocks), node_width)
        self.blocks = nn.ModuleList(blocks)
        self.head = head

    def layer(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor,
        n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        new_nodes, new_memory = nodes[:n_owned], memory
        for number, block in enumerate(self.blocks):  # TorchScript cannot index a ModuleList with a variable
            if number == index:
                new_nodes, new_memory = block(nodes, memory, types, edge_index, edge_vectors, n_owned)
        return new_nodes, new_memory

    def features(self, nodes: Tensor, memory: Tensor, types: Tensor, n_owned: int) -> Tensor:
        """The inputs of the regression head (n_owned, any)."""
        return nodes[:n_owned]

    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        standard = self.head(self.features(nodes, memory, types, n_owned)).squeeze(1)
        deviation = (self.label_scale * self.residual).expand(n_owned)
        return self.in_units(standard, types[:n_owned]), deviation


class BatchNorm(nn.Module):
    """Batch normalisation over any number of rows (n, width); outside training a fixed scale and shift.

    For a batch of one row, which nn.BatchNorm1d refuses, it uses the running statistics. momentum: of these statistics.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, rows: Tensor) -> Tensor:
        if not is_scripting():
            learning = self.training and len(rows) > 1
            if learning:
                return functional.batch_norm(
                    rows, self.running_mean, self.running_var, self.weight, self.bias, True, self.momentum
                )
        scale = self.weight * (self.running_var + 1e-5).rsqrt()
        return rows * scale + (self.bias - self.running_mean * scale)


class GaussianBasis(nn.Module):
    """exp(-(d - d_k)^2 / 2 s^2) (E, size) of distances d (E,), with `size` centres d_k from 0 to `cutoff`, s apart."""

    centres: Tensor

    def __init__(self, cutoff: float, size: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(0.0, cutoff, size))
        self.exponent = -0.5 * ((size - 1) / cutoff) ** 2

    def forward(self, distances: Tensor) -> Tensor:
        return (self.exponent * (distances.unsqueeze(1) - self.centres).square()).exp()


def regression_head(inputs: int, width: int) -> nn.Module:
    """A perceptron with one hidden layer: (n, inputs) -> (n, 1)."""
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, 1))


def lengths(edge_vectors: Tensor) -> Tensor:
    """The lengths (E,) of vectors (E, 3)."""
    return edge_vectors.square().sum(1).clamp_min(1e-12).sqrt()


def mean_over_centres(values: Tensor, centres: Tensor, n_owned: int) -> Tensor:
    """Means (n_owned, K) of `values` (E, K) over the edges of each centre; zero for a centre without edges."""
    counts = sum_over_centres(values.new_ones([values.shape[0], 1]), centres, n_owned)
    return sum_over_centres(values, centres, n_owned) / counts.clamp_min(1.0)
