"""SymGNN: a scalar property of each atom, such as its energy barrier, from the structure at rest.

All variants have the same methods. The host calls them layer by layer, so that LAMMPS can exchange node features
between ranks:

    nodes, memory = model.start(types, edge_index, edge_vectors)
    for l in range(model.layers):
        nodes[:n_owned], memory = model.layer(l, nodes, memory, ...)     # then ghosts get their owners' features
    value, deviation = model.finish(nodes, memory, ...)

`memory` holds features of edges or of owned atoms, which pass from layer to layer without being exchanged between
ranks. Shapes: M nodes (owned first, then ghosts); E directed edges with `edge_index` (2, E) = (centre, neighbour) and
`edge_vectors` (E, 3) = r_j - r_i, for all owned centres and no ghosts. value (n_owned,) is the property in its unit,
deviation (n_owned,) the standard deviation of the label around it.
"""

# No postponed annotations here: TorchScript must see the real types.

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vitrify.graphs.graph import StructureGraph
from vitrify.models.base import System


class SymGNN(nn.Module, ABC):
    """Base of the variants; a variant defines `start`, `layer` and `finish` as the module's docstring describes.

    members: number of networks in the model, whose mean is the prediction. label_mean: (n_species,), mean label of each
    species; label_scale: spread around it; both in the label's unit. residual: standard deviation of the label around
    the prediction where all members agree, in units of label_scale. spread_gain: factor on the variance between
    members in the variance of the prediction. Training sets the last two at its end.
    """

    label_mean: Tensor
    label_scale: Tensor
    residual: Tensor
    spread_gain: Tensor

    def __init__(self, system: System, cutoff: float, layers: int, node_width: int) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.layers = layers
        self.node_width = node_width
        # No variant needs edges whose centre is a ghost.
        self.reverse_edges = False
        self.n_species = len(system.species)
        self.members = 1
        self.register_buffer("label_mean", torch.zeros(self.n_species))
        self.register_buffer("label_scale", torch.ones(()))
        self.register_buffer("residual", torch.ones(()))
        self.register_buffer("spread_gain", torch.ones(()))

    @abstractmethod
    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Node features of all M nodes (M, node_width) and the memory (any, any)."""

    @abstractmethod
    def layer(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor,
        n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """New features of the owned nodes (n_owned, node_width) and the new memory (any, any)."""

    @abstractmethod
    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The property and its standard deviation, (n_owned,) each, in the unit of the label."""

    def forward(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        """The property and its standard deviation of a system whose every node is owned: (N,), (N,)."""
        n = types.shape[0]
        nodes, memory = self.start(types, edge_index, edge_vectors)
        for index in range(self.layers):
            nodes, memory = self.layer(index, nodes, memory, types, edge_index, edge_vectors, n)
        return self.finish(nodes, memory, types, edge_index, edge_vectors, n)

    def in_units(self, standard: Tensor, types: Tensor) -> Tensor:
        """Standardised predictions (n,) of atoms of `types` (n,) in the unit of the label."""
        return self.label_mean[types] + self.label_scale * standard

    @torch.jit.unused
    def calibrate(self, types: Tensor, labels: Tensor) -> None:
        """Sets mean and scale of the labels from the training data; called once, before training.

        types, labels: (n,).
        """
        for s in range(self.n_species):
            mine = types == s
            self.label_mean[s] = labels[mine].mean() if mine.any() else labels.mean()
        self.label_scale.copy_((labels - self.label_mean[types]).square().mean().sqrt().clamp_min(1e-12))

    @torch.jit.unused
    def observe_structures(self, graphs: Sequence[StructureGraph]) -> None:
        """Sets statistics from all training structures; called once, before training and after `calibrate`."""

    @torch.jit.unused
    def prepare(self, graph: StructureGraph) -> Any:
        """Quantities of a structure that training does not change; an argument of `standard_members`."""
        return None

    @torch.jit.unused
    def standard_members(self, graph: StructureGraph, prepared: Any) -> Tensor:
        """Standardised predictions (N, members) for the loss, one column for each network of an ensemble.

        prepared: the result of `prepare` for this graph.
        """
        value: Tensor = self(*graph)[0]
        return ((value - self.label_mean[graph.types]) / self.label_scale).unsqueeze(1)

    @torch.jit.unused
    def exportable(self) -> "SymGNN":
        """The module that the model file holds: equal predictions, without the parts that only training needs."""
        return self

    @torch.jit.unused
    def take_file_form(self) -> None:
        """Changes the shapes of weights to those that `exportable` returns, so that a model file can be loaded."""

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        """Sizes that the native engine needs beside the weights; empty for a variant that only TorchScript can run."""
        return {}
