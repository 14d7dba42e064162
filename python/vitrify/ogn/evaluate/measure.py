"""The measurements of an evaluation: a model against unseen trajectories, Verlet and MD."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import vitrify
from vitrify.core.errors import VitrifyError
from vitrify.core.files import make_folder
from vitrify.core.progress import Meter
from vitrify.data.trajectories import TrajectoryFile, TrajectoryMeta
from vitrify.engines.open import ENGINES
from vitrify.engines.open import open_model as open_engine
from vitrify.ogn.evaluate.long_run import average, compare, long_run
from vitrify.ogn.evaluate.observe import pool
from vitrify.ogn.evaluate.one_step import one_step
from vitrify.ogn.evaluate.reference import substeps_of
from vitrify.ogn.evaluate.results import MARK, REFERENCE, Observed, OGNResults, OneStep, Rollout
from vitrify.ogn.evaluate.reversal import reversal
from vitrify.ogn.evaluate.rollout import rollout
from vitrify.ogn.evaluate.sampling import longest, paths
from vitrify.ogn.evaluate.settings import Settings
from vitrify.ogn.evaluate.steppers import Ballistic, ModelStepper, Stepper, Verlet
from vitrify.ogn.evaluate.transfer import STATES, transfer
from vitrify.ogn.evaluate.verdicts import long_run_verdicts, one_step_verdict
from vitrify.ogn.interface import MotionPredictor
from vitrify.report.evaluation import EvaluationData
from vitrify.report.metrics_file import model_card
from vitrify.report.outside import Given, given, tell_outside


def open_model(model: str | Path, settings: Settings) -> MotionPredictor:
    """The model in the engine of the settings, as far as it runs in this process."""
    engine: Any = settings.engine if settings.engine in ENGINES else None
    opened: MotionPredictor = open_engine(model, engine, settings.device, kind="ogn")
    return opened


def measure(
    opened: MotionPredictor, data: EvaluationData, settings: Settings, folder: Path, progress: bool
) -> OGNResults:
    """Compares a model with the trajectories of a file, with Verlet and with MD; LAMMPS runs stay in `folder`.

    Raises VitrifyError for more than one file, and data that do not fit the model or the settings.
    """
    if len(data.files) > 1:
        raise VitrifyError(
            f"--data was given {len(data.files)} times: an ogn model is evaluated on one file of trajectories"
        )
    make_folder(folder)
    with TrajectoryFile(data.files[0]) as file:
        check_system(opened, file)
        check_lengths(settings, opened.metadata.stride)
        return _measure(opened, file, data.sources[0], settings, folder, progress)


def check_system(opened: MotionPredictor, file: TrajectoryFile) -> None:
    """Refuses data of another system."""
    model, meta = opened.metadata, file.meta
    unknown = [name for name in meta.species if name not in model.species]
    if unknown:
        raise VitrifyError(
            f"{file.path} has the species {', '.join(meta.species)}, the model {', '.join(model.species)}: "
            "evaluate it on data of its own system"
        )
    masses = tuple(model.masses[model.species.index(name)] for name in meta.species)
    for name, wanted, got in (
        ("units", model.units, meta.units),
        ("base timestep", model.base_timestep, meta.base_timestep),
        ("masses", masses, meta.masses),
    ):
        if wanted != got:
            raise VitrifyError(
                f"{file.path} has the {name} {got}, the model {wanted}: evaluate it on data of its own system"
            )


def check_lengths(settings: Settings, stride: int) -> None:
    """Refuses long runs too short to say anything, and steps of MD that do not meet the ends of strides."""
    if settings.steps and min(settings.steps, settings.md_steps) < 4 * stride:
        raise VitrifyError(
            f"long runs of {settings.steps} MD steps (MD: {settings.md_steps}) hold fewer than 4 strides of {stride}: "
            "ask for more --steps, or for none with --steps 0"
        )
    if settings.md_substeps and stride % settings.md_substeps:
        raise VitrifyError(
            f"{settings.md_substeps} base steps in one step of MD do not divide the model's stride of {stride}: "
            "give a divisor of it as --md-substeps"
        )


def methods(opened: MotionPredictor, meta: TrajectoryMeta) -> dict[str, Stepper]:
    """The model and the methods that it is compared with over one stride, by their names in metrics.json."""
    stride, timestep = opened.metadata.stride, opened.metadata.timestep
    return {
        "model": ModelStepper(opened, meta.species),
        "ballistic": Ballistic(timestep),
        "verlet_stride": Verlet(meta, timestep),
        "verlet_half_stride": Verlet(meta, timestep / 2, 2),
        "verlet_base_step": Verlet(meta, meta.base_timestep, stride),
    }


def _measure(
    opened: MotionPredictor,
    file: TrajectoryFile,
    source: dict[str, str],
    settings: Settings,
    folder: Path,
    progress: bool,
) -> OGNResults:
    meta, stride = file.meta, opened.metadata.stride
    steppers = methods(opened, meta)
    bar = Meter(settings.pairs, "one step", "pair", progress)
    one = one_step(steppers, paths(file, stride, 1, settings.pairs), meta.species, meta.masses, lambda: bar(1))
    bar.close()
    rolled = _rollout(opened, file, steppers, one, settings, progress)
    metrics = {
        "model": model_card(opened),
        "data": {**source, **asdict(meta), "trajectories": len(file)},
        "range": tell_outside(opened, (_given(opened, file, index) for index in range(len(file))), "trajectories"),
        "settings": {key: value for key, value in asdict(settings).items() if key != "reference"},
        "versions": {"vitrify": vitrify.__version__, **meta.versions},
        "one_step": {"pairs": one.pairs, "v_std": one.v_std, "methods": one.metrics, "verdict": one_step_verdict(one)},
        "rollout": _rollout_numbers(rolled, MARK * meta.base_timestep),
        "reversal": _reversal(steppers, file, stride, settings, progress),
        "transfer": _transfer(opened, meta, settings, folder, progress),
        "long_run": {},
        "long_run_verdicts": {},
    }
    runs: list[dict[str, Observed]] = []
    if settings.steps:
        base_error = one.metrics["verlet_base_step"]["v_rmse_over_v_std"]
        substeps = settings.md_substeps or substeps_of(stride, base_error)
        runs = _long_runs(opened, file, settings, substeps, folder, progress)
        metrics["long_run"], metrics["long_run_verdicts"] = _judged(runs, meta, stride, settings)
        metrics["long_run_reference"] = {
            "timestep": substeps * meta.base_timestep,
            "duration": settings.md_steps * meta.base_timestep,
            "atoms": runs[0][REFERENCE].atoms,
            "highest_frequency": 0.5 / opened.metadata.timestep,
        }
    return OGNResults(opened, meta, settings, one, rolled, runs, metrics)


def _given(opened: MotionPredictor, file: TrajectoryFile, index: int) -> Given:
    """The first frame of a trajectory."""
    frame, model = file.load(index, slice(0, 1)), opened.metadata
    types = np.array([model.species.index(name) for name in file.meta.species])[frame.types]
    temperature = float(frame.temperature[0])
    return given(f"trajectory {index}", model, frame.positions[0], frame.cell, types, temperature=temperature)


def _rollout(
    opened: MotionPredictor,
    file: TrajectoryFile,
    steppers: dict[str, Stepper],
    one: OneStep,
    settings: Settings,
    progress: bool,
) -> Rollout:
    """Roll-outs of all methods, and of the exact dynamics from starts displaced by the one-step error of the model.

    The latter show how such an error grows by chaos alone.
    """
    meta, stride = file.meta, opened.metadata.stride
    kicked = "md_kicked"
    exact = Verlet(meta, meta.md_timestep, round(stride * meta.base_timestep / meta.md_timestep))
    kick = {kicked: (one.metrics["model"]["x_rmse"], one.metrics["model"]["v_rmse"])}
    strides = min(max(1, settings.horizon // stride), longest(file, stride))
    bar = Meter(settings.starts, "roll-out", "path", progress)
    starts = paths(file, stride, strides, settings.starts)
    rolled = rollout({**steppers, kicked: exact}, starts, opened.metadata.timestep, kick, tick=lambda: bar(1))
    bar.close()
    return rolled


def _reversal(
    steppers: dict[str, Stepper], file: TrajectoryFile, stride: int, settings: Settings, progress: bool
) -> dict[str, Any]:
    if not settings.reversal:
        return {}
    chosen = {name: steppers[name] for name in ("model", "verlet_stride", "verlet_base_step")}
    bar = Meter(settings.starts, "time reversal", "path", progress)
    found = reversal(chosen, paths(file, stride, 1, settings.starts), settings.reversal, lambda: bar(1))
    bar.close()
    return {"strides": list(settings.reversal), "methods": found}


def _transfer(
    opened: MotionPredictor, meta: TrajectoryMeta, settings: Settings, folder: Path, progress: bool
) -> dict[str, Any]:
    if not settings.transfer:
        return {}

    def compared(other: TrajectoryMeta) -> dict[str, Stepper]:
        every = methods(opened, other)
        return {name: every[name] for name in ("model", "verlet_stride", "verlet_half_stride")}

    bar = Meter(sum(len(STATES[kind]) for kind in settings.transfer), "other states", "state", progress)
    place = (settings.reference or folder / "runs/reference") / "states"
    found = transfer(settings.transfer, meta, opened.metadata.stride, compared, place, bar)
    bar.close()
    return found


def _judged(
    runs: list[dict[str, Observed]], meta: TrajectoryMeta, stride: int, settings: Settings
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The numbers of the runs, means and spread over seeds, and the verdicts on the runs of all seeds pooled."""
    together = {name: pool([run[name] for run in runs]) for name in runs[0]}
    rows, pooled = (
        average([compare(run, meta, stride, settings.steps, md_steps=settings.md_steps) for run in each])
        for each in (runs, [together])
    )
    return rows, long_run_verdicts(pooled, meta.species)


def _long_runs(
    opened: MotionPredictor, file: TrajectoryFile, settings: Settings, substeps: int, folder: Path, progress: bool
) -> list[dict[str, Observed]]:
    each = 2 * (settings.relax + settings.md_steps) + len(settings.controls) * settings.steps
    bar = Meter(each * len(settings.seeds), "long runs", "step", progress, many=True)
    runs = [
        long_run(opened, file.meta, file.load(number % len(file)), settings, seed, substeps, folder / "runs", bar)
        for number, seed in enumerate(settings.seeds)
    ]
    bar.close()
    return runs


def _rollout_numbers(rolled: Rollout, mark: float) -> dict[str, Any]:
    return {
        "starts": rolled.starts,
        "v_std": rolled.v_std,
        "at_100_base_steps": rolled.at(mark),
        "times": rolled.times.tolist(),
        "x_rmse": {name: values.tolist() for name, values in rolled.x.items()},
        "v_rmse": {name: values.tolist() for name, values in rolled.v.items()},
    }
