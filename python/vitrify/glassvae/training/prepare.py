"""Prepares the training of a GlassVAE of any variant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.data.frames import Frame, load_frames
from vitrify.data.samples import evenly_spaced, masses_of, read_recipe, split_groups
from vitrify.glassvae.models.equivariant import EquivariantGlassVAE
from vitrify.glassvae.training import equivariant as glassvae_equivariant
from vitrify.glassvae.training import paper as glassvae_paper
from vitrify.glassvae.training.batches import Items
from vitrify.glassvae.training.config import GlassVAEConfig
from vitrify.glassvae.training.equivariant import GlassVAETask
from vitrify.glassvae.training.paper import PaperTask
from vitrify.models import ModelConfig, System, build_model
from vitrify.training.info import data_files, describe
from vitrify.training.task import Prepared
from vitrify.training.validity import structure_validity


def prepare(config: GlassVAEConfig, model_config: ModelConfig) -> Prepared:
    """The task and data of a configuration; VitrifyError for files that `load_frames` refuses."""
    data = config.data
    forces = bool(config.loss.forces)
    of_files: dict[str, Any] = {"names": data.names, "stress_unit": data.stress_unit, "units": data.units}
    frames = load_frames(data.train, data.species, forces, **of_files)
    if data.validation:
        train, held_out = frames, load_frames(data.validation, data.species, forces, **of_files)
    else:
        train, held_out = split_groups(frames, data.held_out, config.training.seed)
    masses = masses_of(data.species, data.masses)
    model = build_model(config.kind, model_config, System(tuple(data.species), tuple(masses), data.units, 0.0))
    validity = structure_validity(data.species, train, float(model.cutoff))
    task: GlassVAETask | PaperTask
    if isinstance(model, EquivariantGlassVAE):
        task = GlassVAETask(model, config.loss)
        glassvae_equivariant.calibrate(task, train, validity["min_distance"])
    else:
        task = PaperTask(model, config.loss)
        glassvae_paper.calibrate(task, train)
    if config.training.precision == 64:
        task = task.double()
    chosen = evenly_spaced(len(held_out), data.validation_samples)

    def finish(folder: Path) -> None:
        if isinstance(task, GlassVAETask):
            glassvae_equivariant.fit_latents(folder, task.cpu(), train)

    return Prepared(
        task, Items(train, model, data.times), Items(held_out, model), chosen,
        _describe(config, masses, validity, train), finish,
    )  # fmt: skip


def _describe(config: GlassVAEConfig, masses: list[float], validity: dict[str, Any], frames: Sequence[Frame]) -> str:
    data = config.data
    temperatures = [frame.temperature for frame in frames if frame.thermal and np.isfinite(frame.temperature)]
    span = {"temperature": [0.0, max(temperatures)]} if temperatures else {}
    inherent = any(np.isfinite(frame.inherent_energy) for frame in frames)
    return describe(
        config,
        data.species,
        data.units,
        {**span, **validity},
        data_files(data.train, read_recipe),
        masses=masses,
        latent_energy="inherent_energy" if inherent else "energy",
    )
