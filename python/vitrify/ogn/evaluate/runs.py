"""Long runs, by MD, by a model in LAMMPS and by a model in Python, in one form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.core.seeds import later_seed
from vitrify.core.units import get_units
from vitrify.data.trajectories import Trajectory, TrajectoryMeta
from vitrify.lammps_library.session import State
from vitrify.modelfile.validity import Impossible
from vitrify.ogn.evaluate.steppers import Stepper, open_session
from vitrify.ogn.guard import NotANumber, Refusal
from vitrify.ogn.step import rescale_to_energy

Tick = Callable[[int], None]
_CHUNK = 20  # base steps between two samples of the energy of a relaxation


class Substance(Protocol):
    """Properties of a material that the analysis needs; data files, models and recipes all have them."""

    @property
    def species(self) -> tuple[str, ...]: ...

    @property
    def masses(self) -> tuple[float, ...]: ...

    @property
    def units(self) -> str: ...

    @property
    def base_timestep(self) -> float: ...


@dataclass(frozen=True)
class Start:
    """A state to run from: positions (N,3) unwrapped, velocities (N,3), cell (3,3), types (N,) from 0, temperature."""

    positions: np.ndarray
    velocities: np.ndarray
    cell: np.ndarray
    types: np.ndarray
    temperature: float


@dataclass(frozen=True)
class Window:
    """Dense frames of a part of a run, `interval` of time apart: positions (W,N,3) unwrapped, velocities (W,N,3)."""

    interval: float
    positions: np.ndarray
    velocities: np.ndarray


@dataclass(frozen=True)
class Record:
    """Frames of a run at equal intervals of time.

    times (T,) from 0, positions (T,N,3) unwrapped, velocities (T,N,3), potential energy of the cell (T,), cell (3,3),
    types (N,) from 0. failure: why the run ended early, or "". window: more frames of the end of the run, if there are.
    """

    times: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    potential_energy: np.ndarray
    cell: np.ndarray
    types: np.ndarray
    failure: str = ""
    window: Window | None = None

    def kinetic_energy(self, substance: Substance) -> np.ndarray:
        """(T,) kinetic energy of the cell."""
        units, masses = get_units(substance.units), np.asarray(substance.masses)[self.types]
        return np.array([units.kinetic_energy(masses, v) for v in self.velocities])

    def temperature(self, substance: Substance) -> np.ndarray:
        """(T,) kinetic temperature, with 3N - 3 degrees of freedom."""
        units, masses = get_units(substance.units), np.asarray(substance.masses)[self.types]
        return np.array([units.temperature_of(masses, v) for v in self.velocities])

    def momentum(self, substance: Substance) -> np.ndarray:
        """(T,) total momentum over the thermal one, (sum of m^2 v^2)^(1/2): about 1 for independent atoms."""
        p = self.velocities * np.asarray(substance.masses)[self.types][:, None]
        return np.asarray(np.linalg.norm(p.sum(axis=1), axis=-1) / np.sqrt(np.sum(p**2, axis=(1, 2))))


def prepare(
    meta: TrajectoryMeta,
    trajectory: Trajectory,
    atoms: int,
    seeds: Sequence[int],
    relax: int,
    tick: Tick = lambda steps: None,
) -> list[Start]:
    """New equilibrium states at the temperature of the data, one for each seed: the first frame of `trajectory`,
    repeated until there are `atoms` atoms, with new velocities, relaxed by canonical MD of `relax` base steps.

    The total energy of all states is then set to its mean over the last four fifths of these runs, so that runs from
    them have the temperature of the bath on average.
    """
    temperature = float(meta.recipe.get("temperature") or np.mean(trajectory.temperature))
    relaxed = [_relax(meta, trajectory, atoms, seed, relax, temperature, tick) for seed in seeds]
    energy = np.mean([mean for _, _, _, mean in relaxed])
    found = []
    for state, cell, types, _ in relaxed:
        masses = np.asarray(meta.masses)[types]
        wanted = max(0.1, float(energy - state.potential_energy) / state.kinetic_energy)
        v = state.velocities * np.sqrt(wanted)
        found.append(Start(state.positions, v - np.average(v, axis=0, weights=masses), cell, types, temperature))
    return found


def _relax(
    meta: TrajectoryMeta, trajectory: Trajectory, atoms: int, seed: int, steps: int, temperature: float, tick: Tick
) -> tuple[State, np.ndarray, np.ndarray, float]:
    """The state after canonical MD, its cell and types, and the mean total energy of the settled part."""
    positions, cell, types = _replicate(trajectory, _repeats(trajectory.cell, len(trajectory.types), atoms))
    masses = np.asarray(meta.masses)[types]
    sigma = get_units(meta.units).thermal_velocity(masses, temperature)
    velocities = np.random.default_rng(seed).normal(size=positions.shape) * sigma[:, None]
    velocities -= np.average(velocities, axis=0, weights=masses)
    with open_session(meta, cell, types) as session:
        session.run_commands(
            "fix nve all nve",
            f"timestep {meta.base_timestep!r}",
            f"fix bath all temp/csvr {temperature!r} {temperature!r} {100 * meta.base_timestep!r} {later_seed(seed)}",
        )
        session.set_state(positions, velocities)
        session.run(0)
        state, energies = session.state(), []
        for done in range(0, steps, _CHUNK):
            session.run(min(_CHUNK, steps - done), fresh=False)
            state = session.state()
            if done >= steps // 5:
                energies.append(state.potential_energy + state.kinetic_energy)
            tick(min(_CHUNK, steps - done))
    now = state.potential_energy + state.kinetic_energy
    return state, cell, types, float(np.mean(energies or [now]))


def _repeats(cell: np.ndarray, present: int, wanted: int) -> np.ndarray:
    """How often to repeat a cell of `present` atoms along each vector: the shortest side grows first."""
    counts = np.ones(3, int)
    while present * counts.prod() < wanted:
        counts[np.argmin(np.linalg.norm(cell, axis=1) * counts)] += 1
    return counts


def _replicate(trajectory: Trajectory, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shifts = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1).reshape(-1, 3) @ trajectory.cell
    positions = (trajectory.positions[0] + shifts[:, None]).reshape(-1, 3)
    return positions, trajectory.cell * counts[:, None], np.tile(trajectory.types, len(shifts))


def python_run(
    meta: TrajectoryMeta,
    stepper: Stepper,
    stride: int,
    start: Start,
    steps: int,
    every: int,
    tick: Tick,
    rescale: bool = False,
    window: int = 0,
) -> Record:
    """A run of a model, or any other stepper, stride by stride.

    every: base steps between frames. window: number of strides at the end with a frame each. rescale: keep the total
    energy of the start by rescaling velocities.
    """
    units, masses = get_units(meta.units), np.asarray(meta.masses)[start.types]
    x, v, failure = start.positions, start.velocities, ""
    last, end = steps // stride, []
    with open_session(meta, start.cell, start.types) as session:

        def potential() -> float:
            session.set_state(x)
            session.run(0)
            return session.state().potential_energy

        seen = [(0.0, x, v, potential())]
        total = seen[0][3] + units.kinetic_energy(masses, v)
        for number in range(1, last + 1):
            try:
                x, v = stepper.step(x, v, start.cell, start.types)
            except (Refusal, NotANumber, Impossible) as error:
                failure = f"{error} at step {number}"
                break
            if not (np.isfinite(x).all() and np.isfinite(v).all()):
                failure = f"positions or velocities were not finite after prediction {number}"
                break
            due = number * stride % every == 0
            energy = potential() if rescale or due else 0.0
            if rescale:
                try:
                    v = rescale_to_energy(v, masses, energy, total, units)
                except VitrifyError as error:  # a run that ends early is a result, as it is in LAMMPS
                    failure = str(error)
                    break
            if due:
                seen.append((number * stride * meta.base_timestep, x, v, energy))
            if number >= last - window:
                end.append((x, v))
            tick(stride)
    times, positions, velocities, energies = (np.array(column) for column in zip(*seen, strict=True))
    detail = _window(end, stride * meta.base_timestep)
    return Record(times, positions, velocities, energies, start.cell, start.types, failure, detail)


def _window(frames: Sequence[tuple[np.ndarray, np.ndarray]], interval: float) -> Window | None:
    """Positions and velocities of frames as a window; None for fewer than two."""
    if len(frames) < 2:
        return None
    return Window(interval, *(np.array(column) for column in zip(*frames, strict=True)))
