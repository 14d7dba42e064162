"""Which steps match: g(r), D and temperatures of a run beside those of a fine reference, noise taken out."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.common import lmp
from benchmarks.ogn.cases import Case, Model, head, thermostat, verlet
from vitrify.analysis import diffusion_coefficient, msd, partial_rdf, species_temperatures
from vitrify.core.files import atomic_path, sha256
from vitrify.core.units import get_units
from vitrify.ogn.evaluate.lammps_run import DUMP, read_run

LIMITS = {"g": 0.02, "D": 0.10, "T": 0.02}
BLOCKS, FRAMES, SETTLED = 8, 480, 0.1


@dataclass(frozen=True)
class Observation:
    """What a run says about the list, in blocks of time, whose spread is its noise.

    rdf: (BLOCKS, pairs, shells); temperature, diffusion: (BLOCKS, species); heat: what the thermostat put in, for each
    atom and unit of time, in kT.
    """

    rdf: np.ndarray
    temperature: np.ndarray
    diffusion: np.ndarray
    heat: float


@dataclass(frozen=True)
class Check:
    """One line of the list: relative deviation from the reference, the part of it that noise explains (one standard
    deviation), and the part beyond it, which must not exceed the limit."""

    name: str
    deviation: float
    noise: float
    limit: float

    @property
    def beyond(self) -> float:
        return max(0.0, self.deviation**2 - self.noise**2) ** 0.5

    @property
    def passed(self) -> bool:
        return self.beyond <= self.limit

    def record(self) -> dict[str, object]:
        return {**asdict(self), "beyond": self.beyond, "passed": self.passed}


def check(name: str, limit: float, found: np.ndarray, reference: np.ndarray) -> Check:
    """Distance ||a - b|| / ||b|| of the means of two sets of samples (S, ...), and what noise alone would give.

    For independent samples E ||a - b||^2 = ||<a> - <b>||^2 + sum(var a / S_a + var b / S_b), so that the second term
    is the square of the noise.
    """
    a, b = found.reshape(len(found), -1), reference.reshape(len(reference), -1)
    size = float(np.linalg.norm(b.mean(axis=0)))
    variance = a.var(axis=0, ddof=1).sum() / len(a) + b.var(axis=0, ddof=1).sum() / len(b)
    return Check(
        name,
        float(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0))) / size,
        float(np.sqrt(variance)) / size,
        limit,
    )


def checks(case: Case, found: Observation, reference: Observation) -> list[Check]:
    """The whole list; D only of liquids."""
    species = case.system.species
    names = [f"{species[a]}-{species[b]}" for a in range(len(species)) for b in range(a, len(species))]
    lines = [check(f"g(r) {name}", LIMITS["g"], found.rdf[:, k], reference.rdf[:, k]) for k, name in enumerate(names)]
    for k, name in enumerate(species):
        lines.append(check(f"T {name}", LIMITS["T"], found.temperature[:, k], reference.temperature[:, k]))
        if case.liquid:
            lines.append(check(f"D {name}", LIMITS["D"], found.diffusion[:, k], reference.diffusion[:, k]))
    return lines


class Observatory:
    """Makes observations of one case from one start, and keeps them in `folder`, so that none is made twice."""

    def __init__(self, case: Case, data: Path, folder: Path) -> None:
        self.case, self.data, self.folder = case, data, folder

    def verlet(self, timestep: float, seed: int) -> Observation:
        """MD of the reference potential. Raises LammpsError where it blows up."""
        return self.observe(verlet(self.case.system), timestep, seed)

    def ogn(self, model: Model, seed: int) -> Observation:
        """A learned integrator, in the best engine that it has, under the thermostat that its card recommends: a
        relaxation time of one stride. Raises LammpsError where it fails.
        """
        drive = model.commands(model.engines[0])
        return self.observe(drive, model.timestep, seed, model.settings, sha256(model.path), model.timestep)

    def observe(
        self, drive: Sequence[str], timestep: float, seed: int, settings: tuple[str, ...] = (), key: str = "",
        damp: float | None = None,
    ) -> Observation:  # fmt: skip
        """What the commands `drive`, after `settings` and the atoms, make of the start; `key` names files they read."""
        every = max(1, round(self.case.time / FRAMES / timestep))
        commands = [
            *head(self.case.system, self.data, settings=settings),
            *drive,
            *thermostat(self.case.system, seed, damp),
            "neigh_modify    every 1 delay 0 check yes",
            f"timestep        {timestep!r}",
            f"thermo          {every}",
            "thermo_style    custom step temp pe f_bath",
            f"dump            1 all custom {every} {DUMP} id type xu yu zu vx vy vz",
            "dump_modify     1 sort id format float %.9g",
            f"run             {round(self.case.time / timestep)}",
        ]
        text = "\n".join([*commands, sha256(self.data), key, f"{BLOCKS} {SETTLED} {self.case.shell} {self.case.r_max}"])
        kept = self.folder / f"{self.case.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
        if not kept.exists():
            with tempfile.TemporaryDirectory() as temporary, atomic_path(kept) as work:
                finished = lmp.run(commands, Path(temporary), arguments=("-sf", "opt"))
                np.savez(work, **asdict(self._analyse(Path(temporary), timestep, finished)))
        with np.load(kept) as arrays:
            heat = float(arrays["heat"])
            return Observation(arrays["rdf"], arrays["temperature"], arrays["diffusion"], heat)

    def _analyse(self, folder: Path, timestep: float, finished: lmp.Finished) -> Observation:
        case, system = self.case, self.case.system
        record = read_run(folder, timestep)
        settled = slice(int(SETTLED * len(record.times)), None)
        positions, velocities = (np.array_split(x[settled], BLOCKS) for x in (record.positions, record.velocities))
        types, units, masses = record.types, get_units(system.units), np.asarray(system.masses)
        n_species, bins = len(system.species), round(case.r_max / case.shell)
        rdf = [list(partial_rdf(x, record.cell, types, n_species, case.r_max, bins).g.values()) for x in positions]
        temperature = [species_temperatures(v, types, masses, units).mean(axis=0) for v in velocities]
        heat = _column(finished.output, "f_bath")
        span = record.times[-1] * len(types) * units.boltz * system.temperature
        return Observation(
            np.array(rdf),
            np.array(temperature),
            np.array([_diffusion(x, types, record.times[1]) for x in positions]),
            float(heat[-1] - heat[0]) / span,
        )


def _diffusion(positions: np.ndarray, types: np.ndarray, interval: float) -> list[float]:
    """D of each species in one block, from lags of a quarter to a half of it."""
    lags, curves = msd(positions, types, len(positions) // 2)
    times = lags * interval
    return [diffusion_coefficient(times, curve, times[-1] / 2) for curve in curves]


def _column(output: str, name: str) -> list[float]:
    """A column of the last table of thermo output on the screen."""
    values: list[float] = []
    at = -1
    for line in output.splitlines():
        words = line.split()
        if words[:1] == ["Step"] and name in words:
            at, values = words.index(name), []
        elif at >= 0 and len(words) > at and words[0].isdigit():
            values.append(float(words[at]))
        elif line.startswith("Loop time"):
            at = -1
    return values


def largest(factors: Sequence[float], passes: Callable[[float], bool]) -> float:
    """The largest factor that passes together with the next smaller one, so that luck alone does not decide.

    Tried from the largest down, for large steps cost least. The smallest factor is the answer if none passes.
    """
    candidate: float | None = None
    for factor in sorted(factors, reverse=True):
        if not passes(factor):
            candidate = None
        elif candidate is not None:
            return candidate
        else:
            candidate = factor
    return min(factors) if candidate is None else candidate


def energy_error(case: Case, data: Path, timestep: float, time: float) -> float:
    """How far the total energy of a microcanonical run wanders: its standard deviation over kT sqrt(N).

    Infinite if the run blows up.
    """
    system = case.system
    every = max(1, round(0.01 / timestep))
    commands = [
        *head(system, data),
        *verlet(system),
        f"velocity        all create {system.temperature!r} 7 mom yes rot no",
        f"timestep        {timestep!r}",
        f"thermo          {every}",
        "thermo_style    custom step temp pe etotal",
        "thermo_modify   norm no format float %.12g",
        f"run             {max(1, round(0.2 * time / timestep))}",
        f"run             {round(time / timestep)}",
    ]
    try:
        finished = lmp.run(commands)
    except lmp.LammpsError:
        return float("inf")
    kt = get_units(system.units).boltz * system.temperature
    return float(np.std(_column(finished.output, "TotEng"))) / (kt * finished.loops[-1].atoms ** 0.5)
