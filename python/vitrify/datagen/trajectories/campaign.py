"""Trajectories of a system: independent starts, run by several processes, stored as they finish."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import NamedTuple

import numpy as np

import vitrify
from vitrify.core.errors import VitrifyError
from vitrify.core.files import require_file
from vitrify.core.locks import claim_file
from vitrify.core.progress import Meter
from vitrify.core.seeds import check_seed
from vitrify.core.units import get_units
from vitrify.data.trajectories import Trajectory, TrajectoryMeta, TrajectoryWriter
from vitrify.datagen.trajectories.systems import System, get_system
from vitrify.lammps_library.session import LammpsSession, State, lammps_version
from vitrify.lammps_library.virial import VirialIntegral
from vitrify.tasks.processes import spawning
from vitrify.tasks.run import run_tasks

_CHUNK = 20  # base steps between two samples of the energy, and between two updates of the progress bar


def generate(
    system: str | System,
    out: str | Path,
    *,
    trajectories: int = 10,
    frames: int = 1000,
    every: int = 1,
    atoms: int | None = None,
    md_timestep: float | None = None,
    temperature: float | None = None,
    density: float | None = None,
    seed: int = 1,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Simulates independent trajectories of `frames` frames, `every` base steps apart, into the file `out`.

    system: a recipe, or the name of one. The numbers depend on the seed and the index of a trajectory alone.
    Trajectories that `out` or an interrupted run already holds are kept. Returns `out`.
    """
    for name, value in (
        ("trajectories", trajectories),
        ("frames", frames),
        ("every", every),
        ("workers", workers or 1),
    ):
        if value < 1:
            raise VitrifyError(f"{name} is {value}, but must be at least 1")
    seed = check_seed(seed)
    recipe = get_system(system) if isinstance(system, str) else system
    chosen = recipe.with_settings(atoms, md_timestep, temperature, density)
    meta = TrajectoryMeta(
        system=chosen.name,
        units=chosen.units,
        species=chosen.species,
        masses=chosen.masses,
        base_timestep=chosen.base_timestep,
        md_timestep=chosen.md_timestep,
        frame_interval=every,
        recipe={**chosen.recipe(), "frames": frames},
        seed=seed,
        versions={"vitrify": vitrify.__version__, "lammps": lammps_version()},
    )
    require_file(Path(out))
    writer = TrajectoryWriter(out, meta)
    if writer.finished.issuperset(range(trajectories)) and not writer.parts.exists():
        return Path(out)
    with claim_file(out, "vitrify data trajectories"), writer:
        missing = [index for index in range(trajectories) if index not in writer.finished]
        if missing:
            done: Synchronized[int] = spawning().Value("q", 0)
            _run_all(_Setup(chosen, writer, frames, every, seed, done), missing, workers, progress)
    return Path(out)


class _Setup(NamedTuple):
    """The arguments that all trajectories share; `done` counts base steps of all processes."""

    system: System
    writer: TrajectoryWriter
    frames: int
    every: int
    seed: int
    done: Synchronized[int]


def _run_all(setup: _Setup, indices: list[int], workers: int | None, progress: bool) -> None:
    """Runs the trajectories in several processes and shows how many base steps they have done."""
    system, done = setup.system, setup.done
    steps = sum(stage.steps for stage in system.stages) + system.settle + (setup.frames - 1) * setup.every
    reasons: dict[int, str] = {}
    name = f"{system.name}: {len(indices)} trajectories"
    bar = Meter(steps * len(indices), name, "step", progress, many=True)
    with bar, _following(bar, done):
        run_tasks(
            _performer, setup, indices, record=lambda index, nothing: None, lost=reasons.__setitem__, workers=workers
        )
    if reasons:
        raise VitrifyError(
            f"a worker process died ({', '.join(sorted(set(reasons.values())))}): run the same command again, finished"
            " trajectories are kept"
        )


@contextmanager
def _following(bar: Meter, done: Synchronized[int]) -> Iterator[None]:
    """Lets a progress bar show a counter that other processes raise."""
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(0.5):
            bar.reach(done.value)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        bar.reach(done.value)


def _performer(setup: _Setup) -> Callable[[int], None]:
    """Runs and stores trajectories in one process, by their index."""

    def tick(steps: int) -> None:
        with setup.done.get_lock():
            setup.done.value += steps

    def perform(index: int) -> None:
        trajectory = simulate(setup.system, setup.frames, setup.every, [setup.seed, index], tick)
        setup.writer.append(trajectory, index)

    return perform


def simulate(
    system: System,
    frames: int,
    every: int,
    seed: int | list[int],
    tick: Callable[[int], None] = lambda steps: None,
) -> Trajectory:
    """One trajectory: random start, push-off, the canonical stages, then `frames` microcanonical frames."""
    rng = np.random.default_rng(seed)
    start = rng.random((system.n_atoms, 3)) * system.box
    with system.session(start) as session:
        remove_overlaps(session, system)
        _equilibrate(session, system, rng, tick)
        return record(session, system, frames, every, tick)


def remove_overlaps(session: LammpsSession, system: System) -> None:
    """Pushes the atoms apart with a soft repulsion, then minimises the real energy."""
    session.run_commands(
        f"pair_style soft {system.push_off!r}",
        f"pair_coeff * * {100 * get_units(system.units).boltz * system.temperature!r}",
    )
    session.minimise(1e-3, 1000)
    session.run_commands(*(system.preparation or system.commands))
    session.minimise(1e-3, 200)


def _equilibrate(session: LammpsSession, system: System, rng: np.random.Generator, tick: Callable[[int], None]) -> None:
    """Runs the canonical stages, then sets the energy to the mean of the last one, so that <T> is right."""
    first = next((stage.start for stage in system.stages), None) or system.temperature
    sigma = get_units(system.units).thermal_velocity(np.array(system.masses)[system.types], first)
    session.set_state(session.state().positions, rng.normal(size=(system.n_atoms, 3)) * sigma[:, None])
    session.run_commands("velocity all zero linear", f"velocity all scale {first!r}", "fix nve all nve")
    for stage in system.stages:
        canonical(session, system, rng, tick, stage.steps, 1, stage.start, stage.end)
    if system.preparation:
        session.run_commands(*system.commands)
    energies = canonical(session, system, rng, tick, system.settle, system.substeps, None, None)

    state = session.state()
    wanted = np.mean(energies) - state.potential_energy
    session.set_state(state.positions, state.velocities * np.sqrt(wanted / state.kinetic_energy))
    session.run_commands("velocity all zero linear")


def canonical(
    session: LammpsSession,
    system: System,
    rng: np.random.Generator,
    tick: Callable[[int], None],
    steps: int,
    substeps: int,
    start: float | None,
    end: float | None,
) -> list[float]:
    """Base steps with the velocity rescaling of Bussi et al.; returns the total energy along them."""
    start, end = start or system.temperature, end or system.temperature
    session.run_commands(f"timestep {system.base_timestep / substeps!r}")
    damp = 100 * system.base_timestep
    energies = []
    for done in range(0, steps, _CHUNK):
        chunk = min(_CHUNK, steps - done)
        low, high = (start + (end - start) * at / steps for at in (done, done + chunk))
        session.run_commands(f"fix bath all temp/csvr {low!r} {high!r} {damp!r} {rng.integers(1, 900_000_000)}")
        session.run(chunk * substeps)
        state = session.state()
        energies.append(state.potential_energy + state.kinetic_energy)
        tick(chunk)
    session.run_commands("unfix bath")
    return energies


def record(session: LammpsSession, system: System, frames: int, every: int, tick: Callable[[int], None]) -> Trajectory:
    steps = every * system.substeps
    session.run_commands("reset_timestep 0")
    virial = VirialIntegral(session, system.units, steps, system.md_timestep)
    session.run(0)
    virial.begin()
    states: list[State] = [session.state()]
    virials = [virial.value]
    for _ in range(frames - 1):
        session.run(steps, fresh=False)
        states.append(session.state())
        virials.append(virial.advanced())
        tick(every)
    return Trajectory(
        positions=np.array([state.positions for state in states]),
        velocities=np.array([state.velocities for state in states]),
        cell=system.cell,
        types=system.types,
        times=np.arange(frames) * every * system.base_timestep,
        potential_energy=np.array([state.potential_energy for state in states]),
        kinetic_energy=np.array([state.kinetic_energy for state in states]),
        temperature=np.array([state.temperature for state in states]),
        virial_integral=np.array(virials),
    )
