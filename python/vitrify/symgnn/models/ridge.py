"""Ridge regression on coarse-grained descriptors, a baseline without a training loop.

The features of an atom are its descriptors (`vitrify.symgnn.models.descriptors`), and their sums over shells of
neighbours of each species, all standardised. The coefficients solve (X^T X + alpha) w = X^T y, with the alpha among
ALPHAS that has the smallest error when every training structure is left out in turn.
"""

# No postponed annotations here: TorchScript must see the real types.

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from vitrify.graphs.graph import StructureGraph
from vitrify.models.base import System
from vitrify.symgnn.models.base import SymGNN
from vitrify.symgnn.models.descriptors import DescriptorConfig, densities, hats, invariants, n_invariants

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

        labels: (N,) for each structure, NaN for atoms without a label.
        """
        rows, targets = [], []
        for graph, label in zip(graphs, labels, strict=True):
            known = ~label.isnan()
            rows.append(self._rows(graph)[known].double())
            target = (label - self.label_mean[graph.types]) / self.label_scale
            targets.append(target[known].double())
        every = torch.cat(rows)
        mean, std = every.mean(0), every.std(0, correction=0)
        std = torch.where(std > 1e-9 * std.max(), std, torch.full_like(std, float("inf")))
        grams, moments = [], []
        for x, y in zip(rows, targets, strict=True):
            z = (x - mean) / std
            grams.append(z.T @ z)
            moments.append(z.T @ y)
        self.centre.copy_(mean)
        self.scale.copy_(std)
        alpha = ALPHAS[0] if len(rows) == 1 else min(ALPHAS, key=lambda a: _left_out(a, grams, moments))
        self.weight.copy_(_coefficients(alpha, _sum(grams), _sum(moments)))

    def _rows(self, graph: StructureGraph) -> Tensor:
        nodes, memory = self.start(*graph)
        for index in range(self.layers):
            nodes, memory = self.layer(index, nodes, memory, *graph, len(graph.types))
        return memory


def _coefficients(alpha: float, gram: Tensor, moment: Tensor) -> Tensor:
    solution: Tensor = torch.linalg.solve(gram + alpha * torch.eye(len(gram), dtype=gram.dtype), moment)
    return solution


def _sum(parts: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(parts)).sum(0)


def _left_out(alpha: float, grams: Sequence[Tensor], moments: Sequence[Tensor]) -> float:
    """The sum of w^T G w - 2 w^T m over structures left out in turn: their squared error, up to a constant."""
    gram, moment, total = _sum(grams), _sum(moments), 0.0
    for g, m in zip(grams, moments, strict=True):
        w = _coefficients(alpha, gram - g, moment - m)
        total += float(w @ g @ w - 2.0 * w @ m)
    return total
