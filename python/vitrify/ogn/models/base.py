"""OGN: a graph network that moves atoms one stride (k MD steps) in one prediction.

Both variants have the same methods: `paper` (the OGN paper, sections 4.2-4.3) and `pair` (symmetric by construction).
The host calls them layer by layer, so that LAMMPS can exchange node features between ranks:

    nodes, memory = model.start(types, velocities, edge_index, edge_vectors)
    for l in range(model.layers):
        nodes[:n_owned], memory = model.layer(l, nodes, memory, ...)     # then ghosts get their owners' features
    dr, dv = model.finish(nodes, memory, ...)

`memory` holds features of edges or of owned atoms, which pass from layer to layer without being exchanged between
ranks. Shapes: M nodes (owned first, then ghosts); E directed edges with `edge_index` (2, E) = (centre, neighbour) and
`edge_vectors` (E, 3) = r_j - r_i; dr, dv (n_owned, 3), the whole displacement and velocity change of one stride.
"""

# No postponed annotations here: TorchScript must see the real types.

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from vitrify.models.base import System


class OGN(nn.Module, ABC):
    """Base of the OGN variants; a variant defines `start`, `layer` and `finish` as the module's docstring describes."""

    masses: Tensor
    dr_scale: Tensor
    dv_scale: Tensor

    def __init__(self, system: System, cutoff: float, layers: int, node_width: int, reverse_edges: bool) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.layers = layers
        self.node_width = node_width
        # True if a host with ghosts must also list the edges that lead from a ghost to an owned atom.
        self.reverse_edges = reverse_edges
        self.timestep = system.timestep
        self.n_species = len(system.species)
        self.register_buffer("masses", torch.tensor(system.masses, dtype=torch.float64))
        # Per species, the spread of dr - timestep v and of dv in the training data: see `calibrate`.
        self.register_buffer("dr_scale", torch.ones(self.n_species))
        self.register_buffer("dv_scale", torch.ones(self.n_species))

    @abstractmethod
    def start(
        self, types: Tensor, velocities: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Node features of all M nodes (M, node_width) and the memory (any, any)."""

    @abstractmethod
    def layer(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor, velocities: Tensor, edge_index: Tensor,
        edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """New features of the owned nodes (n_owned, node_width) and the new memory (any, any)."""

    @abstractmethod
    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor, velocities: Tensor, edge_index: Tensor,
        edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """dr and dv (n_owned, 3), in the model's precision or in double."""

    def forward(
        self, types: Tensor, velocities: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One stride of a system whose every node is owned: (dr (N, 3), dv (N, 3))."""
        n = types.shape[0]
        nodes, memory = self.start(types, velocities, edge_index, edge_vectors)
        for index in range(self.layers):
            nodes, memory = self.layer(index, nodes, memory, types, velocities, edge_index, edge_vectors, n)
        return self.finish(nodes, memory, types, velocities, edge_index, edge_vectors, n)

    @torch.jit.unused
    def calibrate(self, types: Tensor, velocities: Tensor, dr: Tensor, dv: Tensor) -> None:
        """Sets the scales of the targets from a sample of the data; called once, before training.

        types: (n,). velocities, dr, dv: (n, 3).
        """
        residual = dr - self.timestep * velocities
        for s in range(self.n_species):
            mine = types == s
            if mine.any():
                self.dr_scale[s] = residual[mine].square().mean().sqrt().clamp_min(1e-12)
                self.dv_scale[s] = dv[mine].square().mean().sqrt().clamp_min(1e-12)

    @torch.jit.unused
    def exportable(self) -> "OGN":
        """The module that the model file holds."""
        return self

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        """Sizes that the native engine needs beside the weights; empty for a variant that only TorchScript can run."""
        return {}

    @torch.jit.unused
    @abstractmethod
    def scale_velocity_changes(self, factor: float) -> None:
        """Multiplies every predicted dv by `factor`."""

    @torch.jit.unused
    def observe(self, types: Tensor, velocities: Tensor, edge_vectors: Tensor, dr: Tensor, dv: Tensor) -> None:
        """Updates statistics of the data from a training batch; only variants with online statistics have any."""

    @torch.jit.unused
    def loss_scales(self, types: Tensor) -> tuple[Tensor, Tensor]:
        """Scales that standardise the errors of dr and dv, each broadcastable to (n, 3)."""
        return self.dr_scale[types, None], self.dv_scale[types, None]

    @torch.jit.unused
    def loss(self, types: Tensor, prediction: tuple[Tensor, Tensor], dr: Tensor, dv: Tensor) -> Tensor:
        """Mean squared standardised error over atoms and the six components of [dr, dv]."""
        scale_r, scale_v = self.loss_scales(types)
        error_r = (prediction[0] - dr) / scale_r
        error_v = (prediction[1] - dv) / scale_v
        return 0.5 * (error_r.square().mean() + error_v.square().mean())
