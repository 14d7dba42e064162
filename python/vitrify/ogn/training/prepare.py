"""Prepares the training of an OGN."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from vitrify.core.errors import VitrifyError
from vitrify.data.datasets import Noise, OGNPairs, evenly_spread, load_trajectories
from vitrify.data.trajectories import Trajectory, TrajectoryFile, TrajectoryMeta
from vitrify.models import ModelConfig, System, build_model
from vitrify.ogn.training.config import OGNConfig
from vitrify.ogn.training.kinetic_energy_correction import correct_best
from vitrify.ogn.training.task import OGNTask, calibrate
from vitrify.training.info import data_files, describe
from vitrify.training.task import Prepared
from vitrify.training.validity import validity


def prepare(config: OGNConfig, model_config: ModelConfig) -> Prepared:
    """The task and data of a configuration.

    Raises VitrifyError for a model with a stress, files of different systems, a stride that is no multiple of the frame
    interval, and trajectories that are too short.
    """
    if getattr(model_config, "stress", 0):
        raise VitrifyError(
            "model.stress is 1: leave it out and train the motion; `vitrify stress` then gives the exported model its "
            "stress"
        )
    meta, trajectories = load_trajectories(config.data.train)
    held_out = load_trajectories(config.data.validation, like=meta)[1]
    frames = _frames(config.data.stride, meta)
    timestep = config.data.stride * meta.base_timestep
    model = build_model(
        config.kind, model_config, System(tuple(meta.species), tuple(meta.masses), meta.units, timestep)
    )
    dtype = torch.float64 if config.training.precision == 64 else torch.float32
    cutoff = float(model.cutoff)
    validation = OGNPairs(held_out, frames, cutoff, dtype=dtype)
    v_std = calibrate(model, OGNPairs(trajectories, frames, cutoff))
    pairs = OGNPairs(
        trajectories,
        frames,
        cutoff,
        dtype=dtype,
        time_reversal=config.data.time_reversal,
        cube=config.data.augmentation == "cube",
        noise=Noise(config.training.noise, v_std, timestep) if config.training.noise else None,
    )
    task = OGNTask(model, v_std)
    if dtype == torch.float64:  # never .to(float32): running statistics stay in double precision
        task = task.double()
    chosen = evenly_spread(validation.n_pairs, config.data.validation_pairs)

    def finish(folder: Path) -> None:
        plain = OGNPairs(trajectories, frames, cutoff, dtype=dtype, time_reversal=config.data.time_reversal)
        correct_best(folder, task.cpu(), plain)

    info = _describe(config, meta, trajectories, frames)
    return Prepared(task, pairs, validation, chosen.tolist(), info, finish if config.training.balance else None)


def _frames(stride: int, meta: TrajectoryMeta) -> int:
    frames, rest = divmod(stride, meta.frame_interval)
    if rest:
        raise VitrifyError(
            f"data.stride is {stride} base steps, but the files hold a frame every {meta.frame_interval}; "
            f"use a multiple of {meta.frame_interval}"
        )
    return frames


def _describe(config: OGNConfig, meta: TrajectoryMeta, trajectories: Sequence[Trajectory], frames: int) -> str:
    return describe(
        config,
        meta.species,
        meta.units,
        validity(meta.species, trajectories, frames),
        data_files(config.data.train, _recipe),
        masses=[float(mass) for mass in meta.masses],
        base_timestep=float(meta.base_timestep),
        stride=config.data.stride,
        versions={"lammps": meta.versions.get("lammps", "")},
    )


def _recipe(path: Path) -> dict[str, Any]:
    with TrajectoryFile(path) as file:
        return file.meta.recipe
