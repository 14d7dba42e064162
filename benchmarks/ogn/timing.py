"""Core-seconds for each unit of simulated time, of MD and of a learned integrator, by turns on one machine."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import lmp
from benchmarks.ogn.cases import Case, Model, fast_verlet, head, thermostat

TUNE_ATOMS = 4000
BASE, MATCHED, NATIVE, TORCH = "MD, base step", "MD, matched step", "OGN, native", "OGN, torch"
TORCH_ATOMS = 15_000  # largest cell that TorchScript is timed on

Say = Callable[[str], None]


@dataclass(frozen=True)
class Method:
    """A way to advance a system: commands after those that make the atoms, time step, and what is tuned for it.

    seconds_per_atom: core-seconds of one step, from the tuning; least: the fewest steps that mean something.
    """

    name: str
    commands: tuple[str, ...]
    timestep: float
    least: int
    settings: tuple[str, ...] = ()
    skin: float = 0.0
    seconds_per_atom: float = 0.0


def methods(case: Case, data: Path, matched: float | None, model: Model | None) -> list[Method]:
    """MD at the base step and at the matched step, if it is known, and the model with each engine that it has."""
    drive, base = tuple(fast_verlet(case, data)), case.system.base_timestep
    least = 4 if case.like else 60
    found = [Method(BASE, drive, base, least)]
    if matched is not None and matched > base:
        found.append(Method(MATCHED, drive, matched, least))
    for engine in model.engines if model else ():
        name = {"native": NATIVE, "torch": TORCH}[engine]
        assert model is not None
        least = 10 if engine == "native" else 3
        found.append(Method(name, tuple(model.commands(engine)), model.timestep, least, model.settings))
    return found


def copies(present: int, wanted: int) -> tuple[int, int, int]:
    """How often to repeat a cubic cell along x, y, z for at least `wanted` atoms, as near to a cube as can be."""
    counts = [1, 1, 1]
    while present * counts[0] * counts[1] * counts[2] < wanted:
        counts[counts.index(min(counts))] += 1
    return counts[0], counts[1], counts[2]


def measure(
    case: Case, method: Method, data: Path, times: tuple[int, int, int], steps: int, ranks: int
) -> lmp.Finished:
    """One run: a warm-up, then `steps` steps, which are the last loop of what is returned."""
    commands = [
        *head(case.system, data, times, method.settings),
        *method.commands,
        *thermostat(case.system, 4711),
        f"neighbor        {method.skin!r} bin",
        "neigh_modify    every 1 delay 0 check yes",
        f"timestep        {method.timestep!r}",
        "thermo          1000000000",
        f"run             {max(2, steps // 5)}",
        f"run             {steps}",
    ]
    return lmp.run(commands, ranks=ranks, arguments=("-sf", "opt"))


def tuned(case: Case, method: Method, data: Path, seconds: float) -> Method:
    """The method with the skin, among those of the case, that makes it fastest on one core."""
    times = copies(case.atoms, min(TUNE_ATOMS, case.max_atoms) if not case.like else case.atoms)
    tried = []
    for skin in case.skins:
        trial, steps = replace(method, skin=skin), method.least
        loop = measure(case, trial, data, times, steps, 1).loops[-1]
        more = int(seconds * steps / max(loop.core_seconds, 1e-9))
        if more > 2 * steps:
            loop = measure(case, trial, data, times, more, 1).loops[-1]
        tried.append(replace(trial, seconds_per_atom=loop.core_seconds / loop.steps / loop.atoms))
    return min(tried, key=lambda trial: trial.seconds_per_atom)


def time_cell(
    case: Case, chosen: Sequence[Method], data: Path, atoms: int, ranks: int, repeats: int, seconds: float, say: Say
) -> dict[str, Any]:
    """Every method on one cell, by turns, `repeats` times: A B C A B C ... A method that fails is left out."""
    times = copies(case.atoms, atoms)
    atoms = case.atoms * int(np.prod(times))
    loops: dict[Method, list[lmp.Loop]] = {m: [] for m in chosen if m.name != TORCH or atoms <= TORCH_ATOMS}
    steps = {m: max(m.least, int(seconds / max(m.seconds_per_atom * atoms, 1e-9))) for m in loops}
    load = [os.getloadavg()[0]]
    for _ in range(repeats):
        for method in list(loops):
            try:
                loops[method].append(measure(case, method, data, times, steps[method], ranks).loops[-1])
            except lmp.LammpsError as error:
                say(f"{case.name}: {method.name} is left out at {atoms} atoms on {ranks} ranks: {error}")
                del loops[method]
        load.append(os.getloadavg()[0])
    return {
        "system": case.name,
        "atoms": atoms,
        "ranks": ranks,
        "core_seconds_per_time": {
            m.name: [loop.core_seconds / (loop.steps * m.timestep) for loop in found] for m, found in loops.items()
        },
        "steps": {m.name: steps[m] for m in loops},
        "cpu_use": {m.name: statistics.median(loop.use for loop in found) for m, found in loops.items()},
        "neighbour_lists": {m.name: statistics.median(loop.lists for loop in found) for m, found in loops.items()},
        "load_average": [min(load), max(load)],
    }


def time_case(
    case: Case,
    data: Path,
    matched: float | None,
    model: Model | None,
    sizes: Sequence[int],
    ranks: Sequence[int],
    repeats: int,
    seconds: float,
    say: Say,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Tunes the methods of a case, then times them on every size: (methods, rows)."""
    chosen = []
    for method in methods(case, data, matched, model):
        try:
            chosen.append(tuned(case, method, data, seconds / 4))
        except lmp.LammpsError as error:
            say(f"{case.name}: {method.name} is left out: {error}")
            continue
        microseconds = 1e6 * chosen[-1].seconds_per_atom
        say(f"{case.name}: {method.name}: {microseconds:.3g} us per atom and step with a skin of {chosen[-1].skin:g}")
    rows = []
    for wanted in sizes:
        if wanted > case.max_atoms:
            continue
        for number in ranks:
            rows.append(time_cell(case, chosen, data, wanted, number, repeats, seconds, say))
            costs = rows[-1]["core_seconds_per_time"]
            shown = ", ".join(f"{name} {statistics.median(values):.4g}" for name, values in costs.items())
            say(f"{case.name}: {rows[-1]['atoms']} atoms, {number} ranks, core-seconds for each unit of time: {shown}")
    described = [{"name": m.name, "timestep": m.timestep, "skin": m.skin} for m in chosen]
    return described, rows


def ratios(row: dict[str, Any], slow: str, fast: str) -> tuple[float, float, float] | None:
    """How many times cheaper `fast` is than `slow`: median, least and largest over the repeats; None if not timed."""
    cost = row["core_seconds_per_time"]
    if not cost.get(slow) or not cost.get(fast):
        return None
    each = [a / b for a, b in zip(cost[slow], cost[fast], strict=True)]
    return statistics.median(each), min(each), max(each)


def cost_of_step(row: dict[str, Any], method: str, timestep: float) -> float:
    """Microseconds of one core for each atom and step (or stride), median over the repeats."""
    return 1e6 * statistics.median(row["core_seconds_per_time"][method]) * timestep / int(row["atoms"])


def memory(case: Case, method: Method, data: Path, atoms: int) -> dict[str, Any]:
    """The most memory that lmp holds on one rank while it takes two steps of a large cell."""
    times = copies(case.atoms, atoms)
    finished = measure(case, method, data, times, 2, 1)
    loop = finished.loops[-1]
    return {
        "system": case.name,
        "method": method.name,
        "atoms": loop.atoms,
        "bytes": finished.memory,
        "core_seconds_per_atom_step": loop.core_seconds / loop.steps / loop.atoms,
    }
