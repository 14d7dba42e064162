"""Long runs, by MD, by a model in LAMMPS and by a model in Python, all seen in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vitrify.data.trajectories import Trajectory, TrajectoryMeta
from vitrify.errors import VitrifyError
from vitrify.evaluate.steppers import Stepper, open_session
from vitrify.integrator import kinetic_energy, rescale_to_energy
from vitrify.units import get_units

Tick = Callable[[int], None]


class Substance(Protocol):
    """What the analysis must know of a material: data files, models and recipes all say it."""

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
    """A state to run from: positions (N,3) unwrapped, velocities (N,3), cell (3,3), types (N,) from 0,
    temperature."""

    positions: np.ndarray
    velocities: np.ndarray
    cell: np.ndarray
    types: np.ndarray
    temperature: float


@dataclass(frozen=True)
class Record:
    """A run seen at equal intervals of time: times (T,) from 0, positions (T,N,3) unwrapped, velocities
    (T,N,3), potential energy of the cell (T,), cell (3,3), types (N,) from 0. `failure` says why a run ended
    early, or ""."""

    times: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    potential_energy: np.ndarray
    cell: np.ndarray
    types: np.ndarray
    failure: str = ""

    def kinetic_energy(self, substance: Substance) -> np.ndarray:
        """(T,) kinetic energy of the cell."""
        m = np.asarray(substance.masses)[self.types]
        twice = get_units(substance.units).mvv2e * np.einsum("tnd,tnd,n->t", self.velocities, self.velocities, m)
        return np.asarray(0.5 * twice)

    def temperature(self, substance: Substance) -> np.ndarray:
        """(T,) kinetic temperature, with 3N - 3 degrees of freedom."""
        freedom = (3 * len(self.types) - 3) * get_units(substance.units).boltz
        return np.asarray(2 * self.kinetic_energy(substance) / freedom)

    def momentum(self, substance: Substance) -> np.ndarray:
        """(T,) total momentum over the thermal one, (sum of m^2 v^2)^(1/2): about 1 for independent atoms."""
        p = self.velocities * np.asarray(substance.masses)[self.types][:, None]
        return np.asarray(np.linalg.norm(p.sum(axis=1), axis=-1) / np.sqrt(np.sum(p**2, axis=(1, 2))))


def prepare(
    meta: TrajectoryMeta,
    trajectory: Trajectory,
    atoms: int,
    seed: int,
    relax: int,
    tick: Tick = lambda steps: None,
) -> Start:
    """A new equilibrium state like `trajectory`, of at least `atoms` atoms: its first frame, repeated as
    often as needed, with new velocities, relaxed by MD of `relax` base steps and set to the trajectory's
    energy per atom."""
    units = get_units(meta.units)
    counts = _repeats(trajectory.cell, len(trajectory.types), atoms)
    positions, cell, types = _replicate(trajectory, counts)
    masses = np.asarray(meta.masses)[types]
    temperature = float(np.mean(trajectory.temperature))
    rng = np.random.default_rng(seed)
    velocities = rng.normal(size=positions.shape) * units.thermal_velocity(masses, temperature)[:, None]
    velocities -= np.average(velocities, axis=0, weights=masses)
    with open_session(meta, cell, types) as session:
        session.run_commands(
            "fix nve all nve",
            f"timestep {meta.base_timestep!r}",
            f"fix bath all temp/csvr {temperature!r} {temperature!r} {100 * meta.base_timestep!r} {seed + 1}",
        )
        session.set_state(positions, velocities)
        session.run(0)
        _advance(session.run, relax, tick)
        state = session.state()
    energy = float(np.mean(trajectory.total_energy)) * len(types) / len(trajectory.types)
    scale = np.sqrt(max(0.1, (energy - state.potential_energy) / state.kinetic_energy))
    velocities = state.velocities * scale
    return Start(state.positions, velocities - np.average(velocities, axis=0, weights=masses), cell, types, temperature)


def _advance(run: Callable[..., None], steps: int, tick: Tick, chunk: int = 200) -> None:
    for done in range(0, steps, chunk):
        run(min(chunk, steps - done), fresh=False)
        tick(min(chunk, steps - done))


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


def md_run(meta: TrajectoryMeta, start: Start, steps: int, every: int, timestep: float, tick: Tick) -> Record:
    """Microcanonical MD: `steps` base steps, integrated with about `timestep`, seen every `every` base
    steps."""
    substeps = max(1, round(meta.base_timestep / timestep))
    with open_session(meta, start.cell, start.types) as session:
        session.run_commands("fix nve all nve", f"timestep {meta.base_timestep / substeps!r}")
        session.set_state(start.positions, start.velocities)
        session.run(0)
        states = [session.state()]
        for _ in range(steps // every):
            session.run(every * substeps, fresh=False)
            states.append(session.state())
            tick(every)
    return Record(
        np.arange(len(states)) * every * meta.base_timestep,
        np.array([state.positions for state in states]),
        np.array([state.velocities for state in states]),
        np.array([state.potential_energy for state in states]),
        start.cell,
        start.types,
    )


def python_run(
    meta: TrajectoryMeta,
    stepper: Stepper,
    stride: int,
    start: Start,
    steps: int,
    every: int,
    tick: Tick,
    rescale: bool = False,
) -> Record:
    """A model (or any other stepper), stride by stride; `rescale` holds the total energy of the start."""
    units, masses = get_units(meta.units), np.asarray(meta.masses)[start.types]
    x, v, failure = start.positions, start.velocities, ""
    with open_session(meta, start.cell, start.types) as session:

        def potential() -> float:
            session.set_state(x)
            session.run(0)
            return session.state().potential_energy

        seen = [(0.0, x, v, potential())]
        total = seen[0][3] + kinetic_energy(masses, v, units)
        for number in range(1, steps // stride + 1):
            x, v = stepper.step(x, v, start.cell, start.types)
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
            tick(stride)
    times, positions, velocities, energies = (np.array(column) for column in zip(*seen, strict=True))
    return Record(times, positions, velocities, energies, start.cell, start.types, failure)
