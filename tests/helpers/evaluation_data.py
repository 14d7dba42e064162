"""What the tests of the evaluation share: a short Kob-Andersen file, its Verlet in numpy, and models of
known error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from vitrify.data.trajectories import TrajectoryMeta, TrajectoryWriter
from vitrify.datagen.trajectories.campaign import simulate
from vitrify.datagen.trajectories.systems import Stage, get_system
from vitrify.export.write import export_model
from vitrify.modelfile.metadata import Validity
from vitrify.models import System, build_model
from vitrify.ogn.evaluate.runs import Record, Start
from vitrify.ogn.evaluate.steppers import Verlet, open_session
from vitrify.ogn.metadata import OGNMetadata
from vitrify.ogn.torchscript import TorchOGN

EPSILON = np.array([[1.0, 1.5], [1.5, 0.5]])
SIGMA = np.array([[1.0, 0.8], [0.8, 0.88]])
CUTOFF = 2.5


def lj_forces(positions: np.ndarray, edge: float, types: np.ndarray) -> np.ndarray:
    """Truncated Lennard-Jones forces in a cube of `edge` > 2 cutoffs, by the textbook formula."""
    d = positions[:, None] - positions[None]
    d -= edge * np.round(d / edge)
    r2 = np.sum(d**2, axis=-1)
    near = (r2 > 0) & (r2 < CUTOFF**2)
    s6 = np.where(near, SIGMA[types[:, None], types] ** 2 / np.where(near, r2, 1.0), 0.0) ** 3
    size = 24 * EPSILON[types[:, None], types] * (2 * s6**2 - s6) / np.where(near, r2, 1.0)
    return np.sum(size[..., None] * d, axis=1)


def numpy_verlet(
    x: np.ndarray, v: np.ndarray, edge: float, types: np.ndarray, timestep: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Velocity Verlet of unit masses."""
    force = lj_forces(x, edge, types)
    for _ in range(steps):
        half = v + 0.5 * timestep * force
        x = x + timestep * half
        force = lj_forces(x, edge, types)
        v = half + 0.5 * timestep * force
    return x, v


def write_kalj(path: Path, trajectories: int = 3, frames: int = 21) -> Path:
    """Independent trajectories at T = 3, every 5th base step; a liquid this hot forgets its start at once."""
    system = replace(get_system("kalj"), stages=(Stage(1000),), settle=400)
    meta = TrajectoryMeta(
        system.name, system.units, system.species, system.masses, system.base_timestep, system.md_timestep, 5,
        system.recipe(), 11, {"vitrify": "test", "lammps": "test"},
    )  # fmt: skip
    with TrajectoryWriter(path, meta) as writer:
        for index in range(trajectories):
            writer.append(simulate(system, frames, 5, [11, index]))
    return path


def md_run(meta: TrajectoryMeta, start: Start, steps: int, every: int, timestep: float) -> Record:
    """Microcanonical MD in this process: `steps` base steps, integrated with about `timestep`, seen every `every`
    base steps."""
    substeps = max(1, round(meta.base_timestep / timestep))
    with open_session(meta, start.cell, start.types) as session:
        session.run_commands("fix nve all nve", f"timestep {meta.base_timestep / substeps!r}")
        session.set_state(start.positions, start.velocities)
        session.run(0)
        states = [session.state()]
        for _ in range(steps // every):
            session.run(every * substeps, fresh=False)
            states.append(session.state())
    return Record(
        np.arange(len(states)) * every * meta.base_timestep,
        np.array([state.positions for state in states]),
        np.array([state.velocities for state in states]),
        np.array([state.potential_energy for state in states]),
        start.cell,
        start.types,
    )


def small_model(path: Path, stride: int = 5, **settings: object) -> TorchOGN:
    """An untrained model for kalj, which adds little to free flight."""
    torch.manual_seed(0)
    system = System(("A", "B"), (1.0, 1.0), "lj", 0.005 * stride)
    config = {"variant": "pair", "cutoff": 1.5, "scalars": 2, "hidden": 4, "basis": 6}
    model = build_model("ogn", config, system)
    with torch.no_grad():
        model.dr_scale.fill_(1e-3)
        model.dv_scale.fill_(0.02)
    validity = Validity(
        temperature=(2.7, 3.3), number_density=(1.1, 1.3), composition={"A": (0.7, 0.9), "B": (0.1, 0.3)}
    )
    return export_model(
        model, path, kind="ogn", variant="pair", species=system.species, masses=system.masses, units="lj",
        base_timestep=0.005, stride=stride, validity=validity, **settings,
    )  # type: ignore[arg-type]  # fmt: skip


@dataclass(frozen=True)
class PerfectModel:
    """Predicts what the labels' own integrator does."""

    path: Path
    metadata: OGNMetadata
    exact: Verlet
    runs_on: str = "MD"

    @classmethod
    def like(cls, opened: TorchOGN, meta: TrajectoryMeta) -> PerfectModel:
        substeps = round(opened.metadata.timestep / meta.md_timestep)
        return cls(opened.path, opened.metadata, Verlet(meta, meta.md_timestep, substeps))

    def predict(
        self, positions: np.ndarray, velocities: np.ndarray, cell: np.ndarray, types: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        x, v = self.exact.step(positions, velocities, cell, types)
        return x - positions, v - velocities
