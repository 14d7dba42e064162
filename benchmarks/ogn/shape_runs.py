"""Trains one shape of an OGN for a given processor time, tests it, and times shapes beside each other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.common.predictions import jittered_lattice, untrained_model
from benchmarks.ogn.shapes import TEST, TRAIN, VALIDATION, Part, Shape, Target
from vitrify.core.files import atomic_path
from vitrify.core.units import get_units
from vitrify.data.trajectories import TrajectoryFile
from vitrify.datagen.trajectories.campaign import generate
from vitrify.engines.native import instruction_set
from vitrify.export.from_run import export_run
from vitrify.ogn.evaluate.one_step import one_step
from vitrify.ogn.evaluate.results import OneStep
from vitrify.ogn.evaluate.sampling import paths as strides_of
from vitrify.ogn.evaluate.steppers import ModelStepper, Verlet
from vitrify.ogn.evaluate.verdicts import LOST_BAR, POSITION_BAR, VELOCITY_BAR, one_step_verdict
from vitrify.ogn.native import NativeOGN
from vitrify.training.checkpoint import LAST, load_checkpoint

PAIRS = 100  # starts of the test in each state
VERLET = ("verlet_stride", "verlet_half_stride")  # as `one_step_verdict` names them


def data(target: Target, cache: Path) -> dict[str, list[tuple[Part, Path]]]:
    """The trajectory files by their use, made where they are missing."""
    found: dict[str, list[tuple[Part, Path]]] = {TRAIN: [], VALIDATION: [], TEST: []}
    for part in target.parts:
        file = cache / target.name / f"{part.name}.h5"
        if not file.exists():
            generate(
                target.system(part.state), file, trajectories=part.trajectories, frames=target.frames,
                every=target.every, atoms=target.atoms, md_timestep=target.md_timestep, temperature=part.temperature,
                seed=part.seed, workers=1,
            )  # fmt: skip
        found[part.use].append((part, file))
    return found


def train(target: Target, shape: Shape, budget: float, cache: Path) -> tuple[Path, int]:
    """Trains a shape for `budget` seconds of processor time in a process of its own, or goes on with it.

    Returns its model file and the number of its steps. Raises subprocess.CalledProcessError where training fails.
    """
    files = data(target, cache)
    shipped = target.config()
    config = {
        "kind": "ogn",
        "model": target.network(shape),
        "data": {
            **shipped["data"],
            "stride": target.stride(shape),
            **{use: [str(file.resolve()) for _, file in files[use]] for use in (TRAIN, VALIDATION)},
        },
        "training": {
            **{key: value for key, value in shipped["training"].items() if key != "max_steps"},
            "max_time": budget, "clock": "cpu", "validate_every": 1000, "balance": False,
        },
    }  # fmt: skip
    folder = cache / target.name / f"{re.sub('[^a-z0-9.+]+', '-', shape.name)}-{budget:g}s"
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.pt"
    if not model.exists():
        with atomic_path(folder / "config.yaml") as work:
            work.write_text(yaml.safe_dump(_plain(config)))
        command = [sys.executable, "-m", "vitrify.cli", "train", str(folder / "config.yaml"), "--out", str(folder)]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
        export_run(folder, model)
    return model, load_checkpoint(folder / LAST)[0].step


def _plain(value: Any) -> Any:
    """The value without tuples, which YAML does not know."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def test(target: Target, model: Path, cache: Path) -> dict[str, dict[str, float]]:
    """Errors of one stride by state, on trajectories that the model has not seen, and in units of the bars.

    The bars are those of the shipped model: of Verlet's errors at the shipped stride, whatever the stride of the shape.
    """
    opened, found = NativeOGN(model), {}
    for part, path in data(target, cache)[TEST]:
        with TrajectoryFile(path) as file:
            meta = file.meta
            own = {"model": ModelStepper(opened, meta.species), "verlet": Verlet(meta, opened.metadata.timestep)}
            starts = strides_of(file, opened.metadata.stride, 1, PAIRS)
            errors = one_step(own, starts, meta.species, meta.masses).metrics
            shipped = target.stride(Shape())
            verlet = {"verlet": Verlet(meta, shipped * meta.base_timestep)}
            at_shipped = one_step(verlet, strides_of(file, shipped, 1, PAIRS), meta.species, meta.masses).metrics
        found[part.state] = {
            "dr": errors["model"]["x_rmse"],
            "dv_over_v_std": errors["model"]["v_rmse_over_v_std"],
            "lost": errors["model"]["lost"],
            "verlet_dr": errors["verlet"]["x_rmse"],
            **over_bars(errors["model"], at_shipped["verlet"]),
        }
    return found


def over_bars(model: dict[str, Any], verlet: dict[str, Any]) -> dict[str, float]:
    """The errors of a model over the bars that an evaluation sets beside Verlet (`one_step_verdict`)."""
    verdict = one_step_verdict(OneStep(metrics={"model": model, **dict.fromkeys(VERLET, verlet)}))[VERLET[0]]
    velocity = model["v_rmse_over_v_std"] / LOST_BAR if verdict["verlet_lost"] else verdict["v_ratio"] / VELOCITY_BAR
    return {"dr_over_bar": verdict["x_ratio"] / POSITION_BAR, "dv_over_bar": velocity}


def time_shapes(target: Target, cache: Path, atoms: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Processor time of a prediction of each shape of a system, from one process in which the shapes take turns.

    The models are untrained: the time does not depend on their weights. The least of many rounds counts, because a
    machine that does something else can only make it longer.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # read when a model is opened
    system = target.system(target.states[0])
    rng = np.random.default_rng(0)
    density = system.n_atoms / system.box**3
    positions, cell = jittered_lattice(atoms, density, rng)
    types = rng.choice(len(system.species), len(positions), p=np.array(system.counts) / system.n_atoms)
    sigma = get_units(system.units).thermal_velocity(np.array(system.masses)[types], system.temperature)
    velocities = rng.standard_normal(positions.shape) * sigma[:, None]
    folder = cache / target.name / "untrained"
    folder.mkdir(parents=True, exist_ok=True)
    models = {}
    for shape in target.shapes:
        file = folder / "model.pt"
        untrained_model(file, target.network(shape), system, target.stride(shape))
        models[shape.name] = NativeOGN(file)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds + 1):
        for name, model in models.items():
            began = time.process_time()
            model.predict(positions, velocities, cell, types)
            seconds[name].append(time.process_time() - began)
    least = {name: min(values[1:]) for name, values in seconds.items()}  # the first round warms up
    found = {}
    for shape in target.shapes:
        us = 1e6 * least[shape.name] / len(positions)
        step = target.stride(shape) * system.base_timestep * (1000 if system.units == "metal" else 1)
        found[shape.name] = {
            "ratio": least[shape.name] / least[Shape().name], "us": us, "us_per_time": us / step,
            "atoms": len(positions), "rounds": rounds, "instructions": instruction_set(),
        }  # fmt: skip
    return found
