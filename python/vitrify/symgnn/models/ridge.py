"""Ridge regression on coarse-grained descriptors, a baseline without a training loop.

The features of an atom are its descriptors (`vitrify.symgnn.models.descriptors`), and their sums over shells of
neighbours of each species, all standardised. The coefficients solve (X^T X + alpha) w = X^T y, with the alpha among
ALPHAS that has the smallest error when every training structure is left out in turn.
"""

# No postponed annotations here: TorchScript must see the real types.

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from vitrify.graphs.graph import StructureGraph
from vitrify.models.base import System
from vitrify.symgnn.models.base import SymGNN
from vitrify.symgnn.models.descriptors import DescriptorConfig, densities, hats, invariants, n_invariants

_BLOCK = 4096  # atoms whose features are in double precision at a time
ALPHAS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)


class RidgeConfig(DescriptorConfig):
    """Hyperparameters of the ridge regression: those of `DescriptorConfig`."""

    variant: Literal["ridge"] = "ridge"


class RidgeSymGNN(SymGNN):
    """The ridge regression, as the module's docstring describes. The features of a node are its descriptors."""

    centre: Tensor
    scale: Tensor
    weight: Tensor

    def __init__(self, config: RidgeConfig, system: System) -> None:
        width = n_invariants(len(system.species), config.degree, config.basis)
        super().__init__(system, config.cutoff, 2, width)
        self.inner, self.core = config.inner, config.core
        self.basis, self.degree, self.shells = config.basis, config.degree, config.shells
        size = width * (1 + config.shells * self.n_species)
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("weight", torch.zeros(size))

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Zeros (M, node_width) and an empty memory: the layers compute all features."""
        n = types.shape[0]
        return edge_vectors.new_zeros([n, self.node_width]), edge_vectors.new_zeros([n, 0])

    def layer(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor,
        n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Layer 0 computes the descriptors; layer 1 their sums over shells and species, which become the memory."""
        lengths = edge_vectors.square().sum(1).sqrt()
        if index == 0:
            near = lengths < self.inner
            edges, vectors = edge_index[:, near], edge_vectors[near]
            density = densities(
                types[edges[1]], edges[0], vectors, n_owned, self.n_species, self.degree, self.core, self.inner,
                self.basis,
            )  # fmt: skip
            return invariants(density, self.degree), memory
        radial = hats(lengths, self.core, self.cutoff, self.shells)
        rows = edge_index[0] * self.n_species + types[edge_index[1]]
        carried = nodes[edge_index[1]]
        found = [nodes[:n_owned]]
        for k in range(self.shells):
            sums = nodes.new_zeros([n_owned * self.n_species, self.node_width])
            sums = sums.index_add(0, rows, radial[:, k : k + 1] * carried)
            found.append(sums.view(n_owned, self.n_species * self.node_width))
        return nodes[:n_owned], torch.cat(found, 1)

    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The predictions (n_owned,), and one standard deviation for all atoms (n_owned,)."""
        standard = ((memory - self.centre) / self.scale) @ self.weight
        value = self.in_units(standard, types[:n_owned])
        return value, (self.label_scale * self.residual).expand(n_owned)

    @torch.jit.unused
    def solve(self, graphs: Sequence[StructureGraph], labels: Sequence[Tensor]) -> None:
        """Fits the coefficients to the labelled atoms of the training structures, after `calibrate`.

        labels: (N,) for each structure, NaN for atoms without a label. The features are computed three times rather
        than kept, and the equations of one structure at a time: memory grows with the square of the number of features
        alone.
        """
        data = [
            (graph, ((label - self.label_mean[graph.types]) / self.label_scale)[~label.isnan()], ~label.isnan())
            for graph, label in zip(graphs, labels, strict=True)
        ]
        mean, std = _mean_and_std(block for graph, _, known in data for block in self._blocks(graph, known))
        std = torch.where(std > 1e-9 * std.max(), std, torch.full_like(std, float("inf")))
        self.centre.copy_(mean)
        self.scale.copy_(std)
        gram, moment = self._equations(*data[0], mean, std)
        for each in data[1:]:
            own_gram, own_moment = self._equations(*each, mean, std)
            gram += own_gram
            moment += own_moment
        errors = dict.fromkeys(ALPHAS, 0.0)
        for each in data if len(data) > 1 else ():
            own = self._equations(*each, mean, std)
            others = gram - own[0], moment - own[1]
            for alpha in ALPHAS:
                errors[alpha] += _left_out(alpha, others, own)
        self.weight.copy_(_coefficients(min(ALPHAS, key=errors.__getitem__), gram, moment))

    def _blocks(self, graph: StructureGraph, known: Tensor) -> Iterator[Tensor]:
        """The features (n, F) of the labelled atoms in double precision, _BLOCK at a time."""
        rows = self._rows(graph)[known]
        for first in range(0, len(rows), _BLOCK):
            yield rows[first : first + _BLOCK].double()

    def _equations(
        self, graph: StructureGraph, target: Tensor, known: Tensor, mean: Tensor, std: Tensor
    ) -> tuple[Tensor, Tensor]:
        """X^T X (F, F) and X^T y (F,) of one structure, of standardised features and targets (n,)."""
        gram, moment, first = mean.new_zeros(len(mean), len(mean)), torch.zeros_like(mean), 0
        for block in self._blocks(graph, known):
            z = (block - mean) / std
            gram.addmm_(z.T, z)
            moment += z.T @ target[first : first + len(z)].double()
            first += len(z)
        return gram, moment

    def _rows(self, graph: StructureGraph) -> Tensor:
        nodes, memory = self.start(*graph)
        for index in range(self.layers):
            nodes, memory = self.layer(index, nodes, memory, *graph, len(graph.types))
        return memory


def _coefficients(alpha: float, gram: Tensor, moment: Tensor) -> Tensor:
    solution: Tensor = torch.linalg.solve(gram + alpha * torch.eye(len(gram), dtype=gram.dtype), moment)
    return solution


def _mean_and_std(blocks: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
    """Means and standard deviations (F,) of all rows of some blocks (n, F), none of which is kept."""
    count, mean, squares = 0, torch.zeros(0), torch.zeros(0)
    for block in blocks:
        own = block.mean(0)
        deviations = (block - own).square().sum(0)
        if count == 0:
            count, mean, squares = len(block), own, deviations
            continue
        total, apart = count + len(block), own - mean
        squares = squares + deviations + apart.square() * (count * len(block) / total)
        mean = mean + apart * (len(block) / total)
        count = total
    return mean, (squares / count).sqrt()


def _left_out(alpha: float, others: tuple[Tensor, Tensor], own: tuple[Tensor, Tensor]) -> float:
    """w^T G w - 2 w^T m of a structure that is left out of the fit: its squared error, up to a constant."""
    w = _coefficients(alpha, *others)
    return float(w @ own[0] @ w - 2.0 * w @ own[1])
