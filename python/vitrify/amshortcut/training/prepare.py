"""Prepares the training of a generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from vitrify.amshortcut.models.flow import FlowAMShortcut
from vitrify.amshortcut.training.config import AMShortcutConfig
from vitrify.amshortcut.training.task import AMShortcutTask, Draws
from vitrify.data.samples import Sample, evenly_spaced, load_samples, masses_of, read_recipe, split_groups
from vitrify.generation.processes import make_process
from vitrify.models import ModelConfig, System, build_model
from vitrify.training.info import data_files, describe
from vitrify.training.task import Prepared
from vitrify.training.validity import structure_validity


def prepare(config: AMShortcutConfig, model_config: ModelConfig) -> Prepared:
    """The task and data of a configuration; VitrifyError for files that `load_samples` refuses."""
    data = config.data
    of_files = {"units": data.units, "atom_style": data.atom_style}
    samples = load_samples(data.train, data.species, data.properties, **of_files)
    if data.validation:
        train, held_out = samples, load_samples(data.validation, data.species, data.properties, **of_files)
    else:
        train, held_out = split_groups(samples, data.held_out, config.training.seed)
    system = System(tuple(data.species), (), data.units, 0.0, tuple(data.properties))
    model = build_model(config.kind, model_config, system)
    process = make_process(model.process, model.n_species, model.spread)
    if data.properties:
        values = np.stack([sample.properties for sample in train])
        model.calibrate(*(torch.as_tensor(f(values, axis=0)) for f in (np.nanmean, np.nanstd)))
    task = AMShortcutTask(model, process)
    if config.training.precision == 64:
        task = task.double()
    options: dict[str, Any] = {"density": model.ghost_density, "shortest": model.shortest}
    shares = {"shortcuts": model.shortcuts, "null": model.null, "middle": model.middle}
    drawn = Draws(train, process, **shares, times=data.times, **options)
    checked = Draws(held_out, process, shortcuts=0.0, null=0.0, **options)
    if isinstance(model, FlowAMShortcut):
        squares = [np.square(checked[index, 0][0].target_x).mean() for index in range(min(8, len(held_out)))]
        model.churn_spread.fill_(float(np.mean(squares)) ** 0.5)
    chosen = evenly_spaced(len(held_out), data.validation_samples)
    return Prepared(task, drawn, checked, chosen, _describe(config, train, float(model.cutoff)))


def _describe(config: AMShortcutConfig, samples: Sequence[Sample], cutoff: float) -> str:
    data = config.data
    units: dict[str, str] = {}
    for path in data.train:
        units |= read_recipe(path).get("property_units", {})
    return describe(
        config,
        data.species,
        data.units,
        structure_validity(data.species, samples, cutoff),
        data_files(data.train, read_recipe),
        masses=masses_of(data.species, data.masses),
        charges=[float(data.charges[name]) for name in data.species] if data.charges else None,
        properties=properties_of(samples, data.properties, units),
        statistics=statistics_of(samples, data.species, data.properties),
    )


def properties_of(samples: Sequence[Sample], names: Sequence[str], units: dict[str, str]) -> list[dict[str, Any]]:
    """Name, unit and range of each property, the range widened by 2% of itself."""
    found = []
    for number, name in enumerate(names):
        values = np.array([sample.properties[number] for sample in samples])
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        margin = 0.02 * (high - low)
        found.append({"name": name, "unit": units.get(name, ""), "range": [low - margin, high + margin]})
    return found


def statistics_of(samples: Sequence[Sample], species: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Mean and covariance of number density, composition and properties over the simulations.

    From them follow the density and composition that go with requested properties. Samples that lack a property are
    left out.
    """
    rows = np.array(
        [[s.number_density, *(np.bincount(s.types, minlength=len(species)) / len(s)), *s.properties] for s in samples]
    )
    rows = rows[~np.isnan(rows).any(axis=1)]
    if len(rows) == 0:
        rows = np.zeros((1, 1 + len(species) + len(names)))
    labels = ["number_density", *(f"fraction:{name}" for name in species), *names]
    covariance = np.cov(rows.T, bias=True).reshape(len(labels), len(labels))
    return {"names": labels, "mean": rows.mean(0).tolist(), "covariance": covariance.tolist()}
