"""The measurements of an evaluation: predicted properties of atoms against labels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import vitrify
from vitrify.analysis import scores
from vitrify.core.errors import VitrifyError
from vitrify.core.progress import counted
from vitrify.data.splits import duplicate_groups
from vitrify.data.structures import LabelledStructure, load_structures
from vitrify.engines.open import open_model as open_engine
from vitrify.modelfile.validity import closest_of, outside
from vitrify.report.evaluation import EvaluationData
from vitrify.report.metrics_file import model_card
from vitrify.report.outside import Given, tell_outside
from vitrify.symgnn.calculator import refuse_property
from vitrify.symgnn.evaluate.results import Predicted, SymGNNResults, pooled
from vitrify.symgnn.evaluate.settings import Settings
from vitrify.symgnn.interface import PropertyPredictor
from vitrify.symgnn.metadata import SymGNNMetadata


def open_model(model: str | Path, settings: Settings) -> PropertyPredictor:
    """The model in the engine of the settings."""
    engine: Any = None if settings.engine == "auto" else settings.engine
    opened: PropertyPredictor = open_engine(model, engine, settings.device, kind="symgnn")
    return opened


def measure(
    opened: PropertyPredictor, data: EvaluationData, settings: Settings, folder: Path, progress: bool
) -> SymGNNResults:
    """Compares predictions for the atoms of structures with their labels.

    Raises VitrifyError: as `load_structures`; atoms of other species; predictions that are no numbers.
    """
    model = opened.metadata
    label, names = settings.label or model.property.name, tuple(settings.species or model.species)
    found = load_structures(
        data.files, names, label, label_species=settings.label_species, allow_missing=settings.allow_missing,
        units=model.units, atom_style=settings.atom_style,
    )  # fmt: skip
    glasses = [_as_model(glass, names, model.species) for glass in found]
    predicted = [predict(opened, glass) for glass in counted(glasses, "glasses", "glass", progress)]
    metrics = {
        "model": model_card(opened),
        "label": label,
        "unit": model.property.unit,
        "runs_on": opened.runs_on,
        "data": data.sources,
        "versions": {"vitrify": vitrify.__version__},
        **scores_of(predicted, model.species, settings.ceiling),
        "range": tell_outside(opened, (_given(opened.metadata, each) for each in predicted)),
    }
    return SymGNNResults(opened, settings.ceiling, predicted, metrics)


def _as_model(glass: LabelledStructure, names: Sequence[str], species: Sequence[str]) -> LabelledStructure:
    """The same glass with types in the order of the model's species."""
    present = [names[t] for t in np.unique(glass.types)]
    unknown = [name for name in present if name not in species]
    if unknown:
        raise VitrifyError(
            f"{glass.name} has atoms of {unknown[0]}, the model knows {', '.join(species)}: "
            "evaluate it on glasses of its own species"
        )
    index = np.array([species.index(name) if name in species else -1 for name in names], dtype=np.int64)
    return LabelledStructure(glass.name, glass.positions, glass.cell, index[glass.types], glass.labels)


def predict(opened: PropertyPredictor, glass: LabelledStructure) -> Predicted:
    """Predictions for a glass with the types of the model; VitrifyError if one of them is not finite."""
    start = time.perf_counter()
    values, deviations = opened.predict(glass.positions, glass.cell, glass.types)
    seconds = time.perf_counter() - start
    for what, found in (("prediction", values), ("standard deviation", deviations)):
        bad = ~np.isfinite(found)
        if bad.any():
            raise VitrifyError(
                f"{glass.name}: the {what} of {int(bad.sum())} atoms (first: {int(np.argmax(bad))}) is no number: "
                "do atoms overlap?"
            )
    closest = closest_of(opened, glass.positions, glass.cell, glass.types)
    beyond = outside(opened.metadata, glass.types, len(glass) / glass.number_density, closest)
    return Predicted(glass, values, deviations, seconds, tuple(beyond), closest)


def _given(metadata: SymGNNMetadata, predicted: Predicted) -> Given:
    glass = predicted.structure
    impossible = refuse_property(metadata, predicted.values, predicted.deviations)
    volume = len(glass) / glass.number_density
    return Given(glass.name, glass.types, volume, predicted.closest, impossible=impossible)


def scores_of(predicted: Sequence[Predicted], species: Sequence[str], ceiling: float | None = None) -> dict[str, Any]:
    """All numbers of an evaluation, as `vitrify.analysis.scores` defines them.

    species_mean: the scores of the mean label of each species, taken from these very labels, as a predictor that does
    not look at the structure. deviation: None if the model gives no positive standard deviations.
    """
    values, deviations, labels, types, numbers = pooled(predicted)
    names = np.array([p.structure.name for p in predicted])
    means = np.array([labels[types == t].mean() if (types == t).any() else np.nan for t in range(len(species))])
    groups = duplicate_groups([p.structure for p in predicted])
    positive = bool((deviations > 0).all())
    return {
        "ceiling": ceiling,
        "scores": scores.score(values, labels, names[numbers], ceiling),
        "species_mean": scores.score(means[types], labels, names[numbers], ceiling),
        "species": {
            name: scores.score(values[types == t], labels[types == t], names[numbers][types == t])
            for t, name in enumerate(species)
            if (types == t).any()
        },
        "deviation": scores.calibration(values, deviations, labels) if positive else None,
        "glasses": [
            {
                "name": p.structure.name,
                "atoms": len(p.structure),
                "labelled": int(p.structure.labelled.sum()),
                "number_density": p.structure.number_density,
                "composition": {name: float(np.mean(p.structure.types == t)) for t, name in enumerate(species)},
                "seconds": p.seconds,
                "outside": list(p.outside),
                "same_as": [names[i] for i, g in enumerate(groups) if g == group and i != number],
            }
            for number, (p, group) in enumerate(zip(predicted, groups, strict=True))
        ],
    }
