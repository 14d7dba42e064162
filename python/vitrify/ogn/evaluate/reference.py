"""Reference MD: equilibrium starts and exact runs, kept for the next evaluation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vitrify.core.files import atomic_path
from vitrify.core.locks import claim_folder
from vitrify.data.readers.npz import load_arrays
from vitrify.data.trajectories import Trajectory, TrajectoryMeta
from vitrify.ogn.evaluate.lammps_run import read_run, run_lmp_once, write_input
from vitrify.ogn.evaluate.runs import Record, Start, Tick, prepare

# Of v_std: the largest velocity error over one stride that a reference may have by its time step. Liquid CuZr then
# takes 5 fs, of which the temperature knows 0.2%: Verlet's kinetic energy is low by about (omega h / 2)^2.
ACCURATE = 0.005


def substeps_of(stride: int, base_error: float) -> int:
    """Base steps in one step of the reference MD: the largest divisor m of the stride with m^2 base_error <= 0.005.

    Velocity Verlet is of second order. At least 1. base_error: velocity RMSE over v_std of Verlet with the base step
    after one stride, from `one_step`.
    """
    divisors = [m for m in range(1, stride + 1) if stride % m == 0]
    return max((m for m in divisors if m**2 * base_error <= ACCURATE), default=1)


def starts(
    meta: TrajectoryMeta, trajectory: Trajectory, atoms: int, seeds: Sequence[int], relax: int, folder: Path, tick: Tick
) -> tuple[Path, list[Start]]:
    """Equilibrium starts (`runs.prepare`), and the folder inside `folder` for runs of this system, size and seeds.

    Starts that the folder holds already are read from there.
    """
    recipe = [meta.system, meta.units, meta.recipe["commands"], meta.recipe.get("temperature"), meta.masses]
    text = json.dumps([*recipe, meta.base_timestep, atoms, list(seeds), relax])
    place = folder / f"{meta.system}_{atoms}_{_digest(text.encode(), trajectory.positions[0].tobytes())}"
    path = place / "starts.npz"
    with claim_folder(place, "vitrify evaluate", wait=True):  # evaluations may share it
        if path.exists():
            tick(relax * len(seeds))
        else:
            made = prepare(meta, trajectory, atoms, seeds, relax, tick)
            columns = {key: np.array([vars(one)[key] for one in made]) for key in vars(made[0])}
            with atomic_path(path) as work:
                np.savez(work, allow_pickle=False, **columns)
    arrays = load_arrays(path)
    found = [
        Start(**{**{key: values[i] for key, values in arrays.items()}, "temperature": float(arrays["temperature"][i])})
        for i in range(len(seeds))
    ]
    return place, found


def reference_run(
    meta: TrajectoryMeta, start: Start, steps: int, every: int, substeps: int, window: tuple[int, int],
    folder: Path, name: str, ranks: int, tick: Tick, bath: int = 0,
) -> Record:  # fmt: skip
    """Microcanonical MD of `steps` base steps in `lmp`, with `substeps` of them in one step of velocity Verlet.

    A run that `folder` holds already is not repeated. every: base steps between frames. bath: seed of a fix temp/csvr
    at the temperature of the start; 0 for none. window: frames and base steps between them, see `write_input`.
    """
    fixes = ["fix             md all nve"]
    if bath:
        t, damp = start.temperature, 100 * meta.base_timestep
        fixes.append(f"fix             bath all temp/csvr {t!r} {t!r} {damp!r} {bath}")
    settings = json.dumps([steps, every, substeps, window, *([bath] if bath else [])]).encode()
    place = folder / f"{name}_{_digest(settings)}"
    timestep = substeps * meta.base_timestep
    with claim_folder(place, "vitrify evaluate", wait=True):
        script = write_input(
            place, meta, start, fixes, timestep, steps // substeps, every // substeps,
            (window[0], window[1] // substeps),
        )  # fmt: skip
        _, ran = run_lmp_once(script, place, [script.with_name("start.data")], ranks=ranks,
                              tick=lambda done: tick(done * substeps), any_ranks=True)  # fmt: skip
        tick(0 if ran else steps)
        return read_run(place, timestep)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:8]
