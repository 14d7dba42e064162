"""Ways to advance a system by one stride: the model, and the methods that it is compared with."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vitrify.data.trajectories import TrajectoryMeta
from vitrify.lammps_library.session import LammpsSession
from vitrify.ogn.interface import MotionPredictor
from vitrify.ogn.step import OGNStepper


class Stepper(Protocol):
    """Advances a periodic system by one stride; `vitrify.ogn.step.OGNStepper` is one."""

    def step(
        self, positions: np.ndarray, velocities: np.ndarray, cell: np.ndarray, types: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Unwrapped positions (N,3) and velocities (N,3) one stride later; types (N,) from 0."""
        ...


class GuardedStepper:
    """A model, for data whose species may be numbered in another order; it refuses what `fix ogn` refuses."""

    def __init__(self, opened: MotionPredictor, species: tuple[str, ...]) -> None:
        self.stepper = OGNStepper(opened)
        self.index = np.array([opened.metadata.species.index(name) for name in species])

    def step(
        self, positions: np.ndarray, velocities: np.ndarray, cell: np.ndarray, types: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `OGNStepper.step`; raises vitrify.ogn.guard.Refusal."""
        return self.stepper.step(positions, velocities, cell, self.index[types])


class ModelStepper:
    """A model, for data whose species may be numbered in another order. It has no guard, and passes NaN on."""

    def __init__(self, opened: MotionPredictor, species: tuple[str, ...]) -> None:
        self.opened = opened
        self.index = np.array([opened.metadata.species.index(name) for name in species])

    def step(
        self, positions: np.ndarray, velocities: np.ndarray, cell: np.ndarray, types: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if not (np.isfinite(positions).all() and np.isfinite(velocities).all()):
            return np.full_like(positions, np.nan), np.full_like(velocities, np.nan)
        dr, dv = self.opened.predict(positions, velocities, cell, self.index[types])
        return positions + dr, velocities + dv


class Ballistic:
    """Free flight: x + v t, v. A model that has learned nothing predicts this."""

    def __init__(self, timestep: float) -> None:
        self.timestep = timestep

    def step(
        self, positions: np.ndarray, velocities: np.ndarray, cell: np.ndarray, types: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return positions + self.timestep * velocities, velocities.copy()


class Verlet:
    """Velocity Verlet with the exact forces of a data file's potential: `substeps` steps of `timestep` in a stride.

    A step that LAMMPS cannot finish (atoms on top of each other) gives NaN: the trajectory is lost.
    """

    def __init__(self, meta: TrajectoryMeta, timestep: float, substeps: int = 1) -> None:
        self.meta, self.timestep, self.substeps = meta, timestep, substeps
        self._session: LammpsSession | None = None

    def step(
        self, positions: np.ndarray, velocities: np.ndarray, cell: np.ndarray, types: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if not (np.isfinite(positions).all() and np.isfinite(velocities).all()):
            return np.full_like(positions, np.nan), np.full_like(velocities, np.nan)
        session = self._session_for(cell, types)
        session.set_state(positions, velocities)
        try:
            session.run(self.substeps)
            state = session.state()
        except Exception:  # the library raises nothing more specific
            self.close()
            return np.full_like(positions, np.nan), np.full_like(velocities, np.nan)
        return state.positions, state.velocities

    def _session_for(self, cell: np.ndarray, types: np.ndarray) -> LammpsSession:
        """The LAMMPS of the last step if it holds the same cell and types, or a new one."""
        held = self._session
        if held is None or not (np.array_equal(held.cell, cell) and np.array_equal(held.types, types)):
            self.close()
            self._session = held = open_session(self.meta, cell, types)
            held.run_commands("fix nve all nve", f"timestep {self.timestep!r}")
        return held

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def open_session(
    meta: TrajectoryMeta, cell: np.ndarray, types: np.ndarray, positions: np.ndarray | None = None
) -> LammpsSession:
    """A LAMMPS with the potential that the data of `meta` were made with; positions may be set later."""
    if positions is None:
        # Any distinct places do until the first set_state; forces are not computed before it.
        positions = np.random.default_rng(0).random((len(types), 3)) @ cell
    return LammpsSession(
        units=meta.units, cell=cell, types=types, masses=meta.masses, positions=positions,
        charges=meta.recipe.get("charges"), commands=meta.recipe["commands"],
    )  # fmt: skip
