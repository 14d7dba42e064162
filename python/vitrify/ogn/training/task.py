"""The training task of an OGN: pairs of configurations, the loss, and errors in physical units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vitrify.data.datasets import OGNPairs, Pair, collate, evenly_spread
from vitrify.ogn.models.base import OGN
from vitrify.training.task import Task


def velocity_spread(velocities: np.ndarray, types: np.ndarray, n_species: int) -> np.ndarray:
    """Root mean square of a velocity component, for each species (n_species,), from velocities (n, 3), types (n,).

    A species without atoms gets the value of all atoms.
    """
    squares = (velocities**2).mean(1)
    atoms = np.bincount(types, minlength=n_species)
    sums = np.bincount(types, squares, n_species)
    return np.sqrt(np.where(atoms > 0, sums / np.maximum(atoms, 1), squares.mean()))


def calibrate(model: OGN, data: OGNPairs, pairs: int = 200) -> np.ndarray:
    """Sets the scales of the model's targets from evenly spread pairs; returns the velocity spread (n_species,)."""
    sample = [data.snapshots(int(index)) for index in evenly_spread(data.n_pairs, pairs)]
    types = np.concatenate([s.types for s in sample])
    velocities = np.concatenate([s.velocities for s in sample])
    dr = np.concatenate([s.next_positions - s.positions for s in sample])
    dv = np.concatenate([s.next_velocities - s.velocities for s in sample])
    model.calibrate(torch.as_tensor(types, dtype=torch.int64), *(torch.as_tensor(x) for x in (velocities, dr, dv)))
    return velocity_spread(velocities, types, model.n_species)


class OGNTask(Task):
    """An OGN with its loss and the figures of its validation.

    v_std: (n_species,) spread of a velocity component, the unit of the relative velocity error.
    """

    v_std: Tensor
    model: OGN
    n_statistics = 4

    def __init__(self, model: OGN, v_std: np.ndarray) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("v_std", torch.tensor(v_std, dtype=torch.get_default_dtype()))

    def forward(self, batch: Pair) -> Tensor:
        """The loss of a training batch, dimensionless; the running statistics of the model take the batch in."""
        graph = batch.graph
        self.model.observe(graph.types, graph.velocities, graph.edge_vectors, batch.dr, batch.dv)
        return self.model.loss(graph.types, self.model(*graph), batch.dr, batch.dv)

    @staticmethod
    def collate(samples: Sequence[Pair]) -> Pair:
        """One big graph of disconnected configurations."""
        return collate(samples)

    @torch.no_grad()
    def statistics(self, batch: Pair) -> Tensor:
        """Means (4,) over atoms and components of [loss, (dr error)^2, (dv error)^2, (dv error / v_std)^2]."""
        types = batch.graph.types
        dr, dv = self.model(*batch.graph)
        of_dr, of_dv = dr - batch.dr, dv - batch.dv
        relative = of_dv / self.v_std[types].unsqueeze(1)
        loss = self.model.loss(types, (dr, dv), batch.dr, batch.dv)
        return torch.stack([loss, *(x.square().mean() for x in (of_dr, of_dv, relative))])

    def metrics(self, means: Tensor) -> dict[str, float]:
        """val_loss, root mean square errors of dr and dv in their units, and that of dv over v_std."""
        loss, dr, dv, relative = means.tolist()
        return {"val_loss": loss, "rmse_dr": dr**0.5, "rmse_dv": dv**0.5, "rmse_dv_over_v": relative**0.5}
