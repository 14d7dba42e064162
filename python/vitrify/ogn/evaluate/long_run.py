"""Long runs of a model and of MD from the same starts, and numbers for their differences."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vitrify.analysis import energy_drift, rdf_difference, spectrum_difference
from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.seeds import later_seed
from vitrify.data.trajectories import Trajectory, TrajectoryMeta
from vitrify.ogn.evaluate.lammps_run import DATA, read_run, run_lmp_once, write_input
from vitrify.ogn.evaluate.observe import SETTLED, observe
from vitrify.ogn.evaluate.reference import reference_run, starts
from vitrify.ogn.evaluate.results import REFERENCE, SECOND, Observed, pair_label
from vitrify.ogn.evaluate.runs import Record, Start, Substance, Tick, python_run
from vitrify.ogn.evaluate.settings import CONTROLS, Settings
from vitrify.ogn.evaluate.steppers import GuardedStepper
from vitrify.ogn.interface import MotionPredictor

_FRAMES = 400  # frames seen of a run
_WINDOW, _WINDOW_ATOMS = 512, 1_500_000  # frames seen of its end, one for each stride; fewer of large systems


def frame_interval(steps: int, stride: int) -> int:
    """Base steps between two frames of a run: a multiple of the stride, for about 400 frames."""
    return stride * max(1, steps // stride // _FRAMES)


def window_of(settings: Settings, stride: int) -> int:
    """Frames, one for each stride, at the end of every run: the same number for MD and model."""
    most = min(_WINDOW, max(64, _WINDOW_ATOMS // settings.atoms))
    return min(most, settings.steps // stride + 1, settings.md_steps // stride + 1)


def long_run(
    opened: MotionPredictor,
    meta: TrajectoryMeta,
    trajectory: Trajectory,
    settings: Settings,
    seed: int,
    substeps: int,
    folder: Path,
    tick: Tick,
) -> dict[str, Observed]:
    """Runs MD twice, from independent starts, and the model once for each control, from the first of them.

    substeps: base steps in one step of the MD. LAMMPS leaves its scripts, logs and dumps in `folder` and in the folder
    of the references; runs that an earlier evaluation finished there are not repeated.
    """
    stride = opened.metadata.stride
    window = (window_of(settings, stride), stride)
    shared = settings.reference or folder / "reference"
    place, begin = starts(meta, trajectory, settings.atoms, (2 * seed, 2 * seed + 1), settings.relax, shared, tick)
    every = frame_interval(settings.md_steps, stride)
    found: dict[str, Observed] = {}
    for number, name in enumerate((REFERENCE, SECOND)):
        record = reference_run(
            meta,
            begin[number],
            settings.md_steps,
            every,
            substeps,
            window,
            place,
            f"md_{number}",
            settings.ranks,
            tick,
            later_seed(2 * seed, number + 1) if settings.md_bath else 0,
        )
        found[name] = observe(record, meta, found[REFERENCE].k_star if found else None)
    for control in settings.controls:
        run = _python_run if settings.engine == "python" else _lammps_run
        record = run(opened, meta, begin[0], control, settings, seed, folder / f"seed_{seed}" / control, tick)
        if record.failure:
            warnings.warn(
                f"the run of seed {seed}, control {control}, ended before its {settings.steps} steps: {record.failure}",
                VitrifyWarning,
                stacklevel=3,
            )
        found[CONTROLS[control]] = observe(record, meta, found[REFERENCE].k_star)
    return found


def _python_run(
    opened: MotionPredictor, meta: TrajectoryMeta, start: Start, control: str, settings: Settings, seed: int, folder:
    Path, tick: Tick,
) -> Record:  # fmt: skip
    stride = opened.metadata.stride
    every = frame_interval(settings.steps, stride)
    return python_run(
        meta, GuardedStepper(opened, meta.species), stride, start, settings.steps, every, tick,
        rescale=control == "rescale", window=window_of(settings, stride) - 1,
    )  # fmt: skip


def _lammps_run(
    opened: MotionPredictor, meta: TrajectoryMeta, start: Start, control: str, settings: Settings, seed: int, folder:
    Path, tick: Tick,
) -> Record:  # fmt: skip
    model = opened.metadata
    words = [f'"{opened.path.resolve()}"', *meta.species, "energy", "rescale" if control == "rescale" else "none"]
    if settings.device != "cpu":
        words += ["device", settings.device]
    if settings.engine != "auto":
        words += ["engine", settings.engine]
    bath = f"{start.temperature!r} {start.temperature!r}"
    if control == "langevin":  # weak enough to leave diffusion alone
        words += ["langevin", f"{start.temperature!r} {1000 * meta.base_timestep!r} {later_seed(seed)}"]
    fixes = [f"fix             ogn all ogn {' '.join(words)}"]
    if control == "csvr":  # takes back the error of each stride at once, from all atoms together
        fixes.append(f"fix             bath all temp/csvr {bath} {model.timestep!r} {later_seed(seed)}")
    count, failure = settings.steps // model.stride, ""
    every = frame_interval(settings.steps, model.stride) // model.stride
    script = write_input(
        folder, meta, start, fixes, model.timestep, count, every, (window_of(settings, model.stride), 1)
    )
    try:
        inputs = [folder / DATA, opened.path]
        _, ran = run_lmp_once(script, folder, inputs, ranks=settings.ranks, tick=lambda done: tick(done * model.stride))
        tick(0 if ran else settings.steps)
    except VitrifyError as error:
        failure = str(error)
    return read_run(folder, model.timestep, failure)


def compare(
    runs: Mapping[str, Observed], substance: Substance, stride: int, steps: int, reference: str = REFERENCE,
    md_steps: int | None = None,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """One row of numbers for each run; the row of the run `reference` lacks the numbers that are relative to it.

    steps: length in base steps that runs were meant to have; md_steps: of the runs REFERENCE and SECOND, if given.

    energy_rate is the slope of the total energy per atom while no more than 30% of the kinetic energy has
    come or gone; energy_rate_per_stride is that over the kinetic energy, for each stride. `plateau` is the MSD at
    the lag where that of the reference grows most slowly; `slope` the last logarithmic slope of the MSD. `F_s` is
    the largest difference, `spectrum` the area between the normalised vibrational spectra.
    """
    rows = {}
    for name, run in runs.items():
        wanted = md_steps if md_steps and name in (REFERENCE, SECOND) else steps
        duration = wanted // stride * stride * substance.base_timestep
        rows[name] = _row(run, runs[reference], substance, stride, duration)
    return rows


def _row(run: Observed, reference: Observed, substance: Substance, stride: int, duration: float) -> dict[str, float]:
    settled = slice(int(SETTLED * len(run.times)), None)
    rate = _energy_rate(run)
    row = {
        "completed": float(run.times[-1] / duration),
        "blown_up": float(run.blown_up),
        "temperature": float(run.temperature[settled].mean()),
        "final_temperature": float(run.temperature[-max(1, len(run.temperature) // 20) :].mean()),
        "momentum": float(run.momentum.max()),
        "energy_rate": rate,
        "energy_rate_per_stride": rate * stride * substance.base_timestep / run.kinetic_energy,
        "k_star": run.k_star,
    }
    slopes, plateau_lags = run.slope(), reference.plateau_lags()
    for index, species in enumerate(substance.species):
        row[f"temperature {species}"] = float(run.temperatures[index])
        row[f"diffusion {species}"] = float(run.diffusion[index])
        row[f"slope {species}"] = float(slopes[index])
        row[f"plateau lag {species}"] = float(plateau_lags[index])
        row[f"plateau {species}"] = _at(run.lags, run.msd[index], float(plateau_lags[index]))
    if run is reference:
        return row
    for index, species in enumerate(substance.species):
        plateau = _at(reference.lags, reference.msd[index], float(plateau_lags[index]))
        row[f"temperature {species}, relative"] = float(run.temperatures[index] / reference.temperatures[index] - 1)
        row[f"diffusion {species}, relative"] = float(run.diffusion[index] / reference.diffusion[index] - 1)
        row[f"plateau {species}, relative"] = row[f"plateau {species}"] / plateau - 1
        row[f"F_s {species}"] = _scattering_difference(run, reference, index)
        row[f"spectrum {species}"] = _spectrum_difference(run, reference, index)
    for pair, distance in rdf_difference(run.rdf, reference.rdf).items():
        row[f"g(r) {pair_label(pair, substance.species)}"] = distance
    return row


def _at(lags: np.ndarray, values: np.ndarray, lag: float) -> float:
    """The value at a lag, interpolated in the logarithm of both; NaN beyond the lags."""
    if not 0 < lag <= lags[-1] or len(lags) < 3:
        return np.nan
    return float(np.exp(np.interp(np.log(lag), np.log(lags[1:]), np.log(values[1:]))))


def _scattering_difference(run: Observed, reference: Observed, index: int) -> float:
    """The largest difference of F_s over the lags of `reference` that the run has reached."""
    common = (reference.lags > 0) & (reference.lags <= run.lags[-1] * (1 + 1e-9))
    if not common.any() or len(run.lags) < 2:
        return np.nan
    mine = np.interp(np.log(reference.lags[common]), np.log(run.lags[1:]), run.scattering[index, 1:])
    return float(np.abs(mine - reference.scattering[index, common]).max())


def _spectrum_difference(run: Observed, reference: Observed, index: int) -> float:
    if not len(reference.frequencies) or not np.array_equal(run.frequencies, reference.frequencies):
        return np.nan
    return spectrum_difference(reference.frequencies, run.spectrum[index], reference.spectrum[index])


def _energy_rate(run: Observed) -> float:
    far = np.abs(run.energy - run.energy[0]) > 0.3 * run.kinetic_energy
    end = max(2, int(np.argmax(far))) if far.any() else len(far)
    return energy_drift(run.times[:end], run.energy[:end], 1) if len(far) > 1 else np.nan


def average(rows: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean and standard deviation over seeds of the rows of `compare`: run -> number -> {"mean", "std"}."""
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
