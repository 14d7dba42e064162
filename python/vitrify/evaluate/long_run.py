"""A long run of a model beside MD: structure, dynamics, energy, momentum, temperatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np

from vitrify.analysis import (
    RDF,
    diffusion_coefficient,
    energy_drift,
    msd,
    partial_rdf,
    rdf_difference,
    species_temperatures,
)
from vitrify.data.trajectories import Trajectory, TrajectoryMeta
from vitrify.errors import VitrifyError, did_you_mean
from vitrify.evaluate.lammps_run import DATA, read_run, run_lmp_once, write_input
from vitrify.evaluate.runs import Record, Start, Substance, Tick, md_run, prepare, python_run
from vitrify.evaluate.steppers import ModelStepper
from vitrify.export import LoadedModel
from vitrify.units import get_units

REFERENCE, SECOND = "MD", "MD, another start"
CONTROLS = {"none": "OGN, free", "rescale": "OGN, energy rescale", "csvr": "OGN, fix temp/csvr"}
_FRAMES = 400  # frames seen of a run
_RDF_FRAMES, _RDF_BINS = 400, 120
_SETTLED = 0.1  # the share of a run that averages leave out


@dataclass(frozen=True)
class Observed:
    """What is measured on one run. rdf over the settled part; lags (L,) in time and msd (n_species, L)
    likewise; diffusion, temperatures: one for each species; energy, temperature, momentum (T,) along
    `times`, energy per atom."""

    times: np.ndarray
    energy: np.ndarray
    temperature: np.ndarray
    momentum: np.ndarray
    temperatures: np.ndarray
    rdf: RDF
    lags: np.ndarray
    msd: np.ndarray
    diffusion: np.ndarray
    kinetic_energy: float
    failure: str


def check_controls(controls: Sequence[str], engine: str) -> None:
    """Raises VitrifyError for a control or engine that there is not."""
    if engine not in ("lammps", "python"):
        raise VitrifyError(
            f"engine {engine!r} is unknown{did_you_mean(engine, ('lammps', 'python'))}: lammps or python"
        )
    for control in controls:
        if control not in CONTROLS:
            raise VitrifyError(
                f"control {control!r} is unknown{did_you_mean(control, CONTROLS)}: choose from {', '.join(CONTROLS)}"
            )
    if engine == "python" and "csvr" in controls:
        raise VitrifyError("the control csvr is a fix of LAMMPS: use --engine lammps, or --controls none,rescale")


def frame_interval(steps: int, stride: int) -> int:
    """Base steps between two looks at a run: a multiple of the stride, for about 400 looks."""
    return stride * max(1, steps // stride // _FRAMES)


def long_run(
    loaded: LoadedModel,
    meta: TrajectoryMeta,
    trajectory: Trajectory,
    *,
    steps: int,
    atoms: int,
    seed: int,
    controls: Sequence[str],
    engine: str,
    folder: Path,
    relax: int,
    ranks: int,
    tick: Tick,
) -> dict[str, Observed]:
    """Runs MD twice, from independent starts, and the model once for each control, from the first of them.

    steps, relax: in base steps. ranks: MPI processes of a model run in LAMMPS. LAMMPS leaves its scripts,
    logs and dumps in `folder`; what an earlier evaluation finished there is not run again.
    """
    stride = loaded.metadata.stride
    every = frame_interval(steps, stride)
    starts = [prepare(meta, trajectory, atoms, 2 * seed + number, relax, tick) for number in (0, 1)]
    records = {
        name: md_run(meta, start, steps, every, meta.base_timestep, tick)
        for name, start in zip((REFERENCE, SECOND), starts, strict=True)
    }
    for control in controls:
        if engine == "python":
            stepper = ModelStepper(loaded, meta.species)
            record = python_run(meta, stepper, stride, starts[0], steps, every, tick, rescale=control == "rescale")
        else:
            record = _lammps_run(loaded, meta, starts[0], control, steps, every, seed, folder / control, ranks, tick)
        records[CONTROLS[control]] = record
    return {name: observe(record, meta) for name, record in records.items()}


def _lammps_run(
    loaded: LoadedModel,
    meta: TrajectoryMeta,
    start: Start,
    control: str,
    steps: int,
    every: int,
    seed: int,
    folder: Path,
    ranks: int,
    tick: Tick,
) -> Record:
    model = loaded.metadata
    energy = "rescale" if control == "rescale" else "none"
    place = "" if loaded.device.type == "cpu" else f" device {loaded.device}"
    arguments = f'"{loaded.path.resolve()}" {" ".join(meta.species)} energy {energy}{place}'
    fixes = [f"fix             ogn all ogn {arguments}"]
    if control == "csvr":
        t, damp = start.temperature, 100 * meta.base_timestep
        fixes.append(f"fix             bath all temp/csvr {t!r} {t!r} {damp!r} {seed + 1}")
    count, failure = steps // model.stride, ""
    script = write_input(folder, meta, start, fixes, model.timestep, count, every // model.stride)
    try:
        inputs = [folder / DATA, loaded.path]
        _, ran = run_lmp_once(script, folder, inputs, ranks=ranks, tick=lambda done: tick(done * model.stride))
        tick(0 if ran else steps)
    except VitrifyError as error:
        failure = str(error)
    return read_run(folder, model.timestep, failure)


def observe(record: Record, substance: Substance) -> Observed:
    """Measures a run; averages leave out its first tenth."""
    units, n_species = get_units(substance.units), len(substance.species)
    kinetic = record.kinetic_energy(substance)
    settled = slice(int(_SETTLED * len(record.times)), None)
    positions, n = record.positions[settled], len(record.types)
    shown = positions[np.unique(np.linspace(0, len(positions) - 1, _RDF_FRAMES).round().astype(int))]
    volume = abs(np.linalg.det(record.cell))
    heights = volume / np.linalg.norm(np.cross(record.cell[[1, 2, 0]], record.cell[[2, 0, 1]]), axis=1)
    lags, displacement = msd(positions, record.types, max_lag=len(positions) // 4)
    lag_times = lags * (record.times[1] - record.times[0] if len(record.times) > 1 else 0.0)
    return Observed(
        times=record.times,
        energy=(kinetic + record.potential_energy) / n,
        temperature=record.temperature(substance),
        momentum=record.momentum(substance),
        temperatures=species_temperatures(
            record.velocities[settled], record.types, np.asarray(substance.masses), units
        ).mean(axis=0),
        rdf=partial_rdf(shown, record.cell, record.types, n_species, 0.5 * float(heights.min()), _RDF_BINS),
        lags=lag_times,
        msd=displacement,
        diffusion=np.array([_diffusion(lag_times, row) for row in displacement]),
        kinetic_energy=float(kinetic[0]) / n,
        failure=record.failure,
    )


def _diffusion(lags: np.ndarray, displacement: np.ndarray) -> float:
    """D from the lags beyond the first fifth; NaN for a run too short for that."""
    return diffusion_coefficient(lags, displacement, 0.2 * float(lags[-1])) if len(lags) > 4 else np.nan


def compare(
    runs: Mapping[str, Observed], substance: Substance, stride: int, steps: int, reference: str = REFERENCE
) -> dict[str, dict[str, float]]:
    """One row of numbers for each run; what is relative is relative to the run `reference`.

    energy_rate is the slope of the total energy per atom while no more than 30% of the kinetic energy has
    come or gone; energy_rate_per_stride is that over the kinetic energy, for each stride.
    """
    return {name: _row(run, runs[reference], substance, stride, steps) for name, run in runs.items()}


def _row(run: Observed, reference: Observed, substance: Substance, stride: int, steps: int) -> dict[str, float]:
    same = run is reference
    settled = slice(int(_SETTLED * len(run.times)), None)
    row = {
        "completed": float(run.times[-1] / (steps // stride * stride * substance.base_timestep)),
        "temperature": float(run.temperature[settled].mean()),
        "final_temperature": float(run.temperature[-max(1, len(run.temperature) // 20) :].mean()),
        "momentum": float(run.momentum.max()),
    }
    rate = _energy_rate(run)
    row["energy_rate"] = rate
    row["energy_rate_per_stride"] = rate * stride * substance.base_timestep / run.kinetic_energy
    for index, species in enumerate(substance.species):
        row[f"temperature {species}"] = float(run.temperatures[index])
        row[f"diffusion {species}"] = float(run.diffusion[index])
        if not same:
            row[f"temperature {species}, relative"] = float(run.temperatures[index] / reference.temperatures[index] - 1)
            row[f"diffusion {species}, relative"] = float(run.diffusion[index] / reference.diffusion[index] - 1)
    if not same:
        for pair, distance in rdf_difference(run.rdf, reference.rdf).items():
            row[f"g(r) {pair_label(pair, substance.species)}"] = distance
    return row


def _energy_rate(run: Observed) -> float:
    far = np.abs(run.energy - run.energy[0]) > 0.3 * run.kinetic_energy
    end = max(2, int(np.argmax(far))) if far.any() else len(far)
    return energy_drift(run.times[:end], run.energy[:end], 1) if len(far) > 1 else np.nan


def pair_label(pair: tuple[int, int], species: tuple[str, ...]) -> str:
    """The name of a pair of types, as in A-B."""
    return f"{species[pair[0]]}-{species[pair[1]]}"


def pairs_of(species: tuple[str, ...]) -> list[tuple[int, int]]:
    """All pairs of types, a <= b."""
    return list(combinations_with_replacement(range(len(species)), 2))


def average(rows: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean and standard deviation over seeds of what `compare` gives: run -> number -> {"mean", "std"}."""
    return {
        run: {
            key: {
                "mean": float(np.mean([row[run][key] for row in rows])),
                "std": float(np.std([row[run][key] for row in rows], ddof=1)) if len(rows) > 1 else np.nan,
            }
            for key in numbers
        }
        for run, numbers in rows[0].items()
    }
