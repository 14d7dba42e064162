"""What an OGN model is trained on: its pairs of configurations, its loss, and its errors in physical units."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import vitrify
from vitrify.core.errors import VitrifyError
from vitrify.core.files import sha256
from vitrify.data.datasets import Noise, OGNPairs, Pair, collate, evenly_spread, load_trajectories
from vitrify.data.trajectories import Trajectory, TrajectoryFile, TrajectoryMeta
from vitrify.models import ModelConfig, System, build_model
from vitrify.ogn.models.base import OGN
from vitrify.ogn.training.config import OGNConfig
from vitrify.ogn.training.kinetic_energy_correction import balance_best
from vitrify.training.task import Prepared, Task
from vitrify.training.validity import validity


def velocity_spread(velocities: np.ndarray, types: np.ndarray, n_species: int) -> np.ndarray:
    """Root mean square of a velocity component for each species; for one without atoms, that of all atoms."""
    squares = (velocities**2).mean(1)
    atoms = np.bincount(types, minlength=n_species)
    sums = np.bincount(types, squares, n_species)
    return np.sqrt(np.where(atoms > 0, sums / np.maximum(atoms, 1), squares.mean()))


def calibrate(model: OGN, data: OGNPairs, pairs: int = 200) -> np.ndarray:
    """Gives the model the scales of its targets, from evenly spread pairs; returns their spread."""
    sample = [data.snapshots(int(index)) for index in evenly_spread(data.n_pairs, pairs)]
    types = np.concatenate([s.types for s in sample])
    velocities = np.concatenate([s.velocities for s in sample])
    dr = np.concatenate([s.next_positions - s.positions for s in sample])
    dv = np.concatenate([s.next_velocities - s.velocities for s in sample])
    model.calibrate(torch.as_tensor(types, dtype=torch.int64), *(torch.as_tensor(x) for x in (velocities, dr, dv)))
    return velocity_spread(velocities, types, model.n_species)


class OGNTask(Task):
    """A model together with what training and validation ask of it.

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
        """The loss of a training batch, dimensionless; the model takes it into its running statistics."""
        graph = batch.graph
        self.model.observe(graph.types, graph.velocities, graph.edge_vectors, batch.dr, batch.dv)
        return self.model.loss(graph.types, self.model(*graph), batch.dr, batch.dv)

    @staticmethod
    def collate(samples: Sequence[Pair]) -> Pair:
        """One big graph of disconnected configurations."""
        return collate(samples)

    @torch.no_grad()
    def statistics(self, batch: Pair) -> Tensor:
        """[loss, (dr error)^2, (dv error)^2, (dv error / v_std)^2], means over atoms and components: (4,)."""
        types = batch.graph.types
        dr, dv = self.model(*batch.graph)
        of_dr, of_dv = dr - batch.dr, dv - batch.dv
        relative = of_dv / self.v_std[types].unsqueeze(1)
        loss = self.model.loss(types, (dr, dv), batch.dr, batch.dv)
        return torch.stack([loss, *(x.square().mean() for x in (of_dr, of_dv, relative))])

    def metrics(self, means: Tensor) -> dict[str, float]:
        """val_loss, RMSE of dr and dv, and RMSE of dv over v_std."""
        loss, dr, dv, relative = means.tolist()
        return {"val_loss": loss, "rmse_dr": dr**0.5, "rmse_dv": dv**0.5, "rmse_dv_over_v": relative**0.5}


def prepare(config: OGNConfig, model_config: ModelConfig) -> Prepared:
    """The task of a configuration, on the pairs of its trajectories."""
    meta, trajectories = load_trajectories(config.data.train)
    held_out = load_trajectories(config.data.validation, like=meta)[1]
    frames = _frames(config.data.stride, meta)
    timestep = config.data.stride * meta.base_timestep
    model = build_model(
        config.kind, model_config, System(tuple(meta.species), tuple(meta.masses), meta.units, timestep)
    )
    dtype = torch.float64 if config.training.precision == 64 else torch.float32
    cutoff = float(model.cutoff)
    validation = OGNPairs(held_out, frames, cutoff, dtype=dtype)
    v_std = calibrate(model, OGNPairs(trajectories, frames, cutoff))
    pairs = OGNPairs(
        trajectories,
        frames,
        cutoff,
        dtype=dtype,
        time_reversal=config.data.time_reversal,
        cube=config.data.augmentation == "cube",
        noise=Noise(config.training.noise, v_std, timestep) if config.training.noise else None,
    )
    task = OGNTask(model, v_std)
    if dtype == torch.float64:  # never .to(float32): running statistics stay in double precision
        task = task.double()
    chosen = evenly_spread(validation.n_pairs, config.data.validation_pairs)

    def finish(folder: Path) -> None:
        plain = OGNPairs(trajectories, frames, cutoff, dtype=dtype, time_reversal=config.data.time_reversal)
        balance_best(folder, task.cpu(), plain)

    info = _describe(config, meta, trajectories, frames)
    return Prepared(task, pairs, validation, chosen.tolist(), info, finish if config.training.balance else None)


def _frames(stride: int, meta: TrajectoryMeta) -> int:
    frames, rest = divmod(stride, meta.frame_interval)
    if rest:
        raise VitrifyError(
            f"data.stride is {stride} base steps, but the files hold a frame every {meta.frame_interval}; "
            f"use a multiple of {meta.frame_interval}"
        )
    return frames


def _describe(config: OGNConfig, meta: TrajectoryMeta, trajectories: Sequence[Trajectory], frames: int) -> str:
    """All that a checkpoint must say about its model beside the weights, as JSON."""
    data = []
    for path in config.data.train:
        with TrajectoryFile(path) as file:
            data.append({"name": path.name, "sha256": sha256(path), "recipe": file.meta.recipe})
    versions = {
        "vitrify": vitrify.__version__,
        "torch": torch.__version__,
        "lammps": meta.versions.get("lammps", ""),
    }
    return json.dumps(
        {
            "config": json.loads(config.model_dump_json()),
            "species": list(meta.species),
            "masses": [float(mass) for mass in meta.masses],
            "units": meta.units,
            "base_timestep": float(meta.base_timestep),
            "stride": config.data.stride,
            "validity": validity(meta.species, trajectories, frames),
            "data": data,
            "versions": versions,
        }
    )
