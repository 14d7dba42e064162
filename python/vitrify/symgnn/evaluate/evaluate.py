"""`vitrify evaluate` for models of structures: predicted barriers against labels; numbers, figures and a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import vitrify
from vitrify.analysis import scores
from vitrify.core.errors import VitrifyError
from vitrify.core.files import sha256
from vitrify.data.splits import duplicate_groups
from vitrify.data.structures import LabelledStructure, load_structures
from vitrify.engines.open import EngineName, open_model
from vitrify.graphs.neighbours import neighbour_list
from vitrify.modelfile.validity import outside
from vitrify.report.metrics_file import model_card, write_metrics
from vitrify.symgnn.interface import PropertyPredictor
from vitrify.symgnn.metadata import SymGNNMetadata

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Predicted:
    """A structure, what a model says of its atoms, (N,) each, and in what way it leaves the model's range."""

    structure: LabelledStructure
    values: Array
    deviations: Array
    seconds: float
    outside: tuple[str, ...]


@dataclass(frozen=True)
class StructureEvaluation:
    """Everything that an evaluation found. files: of the structures, with their hashes."""

    loaded: PropertyPredictor
    label: str
    ceiling: float | None
    predicted: list[Predicted]
    files: list[dict[str, str]]
    metrics: dict[str, Any]

    def together(self) -> tuple[Array, Array, Array, NDArray[np.int64], NDArray[np.int64]]:
        """Values, deviations, labels, types and numbers of the glass of all labelled atoms, (M,) each."""
        return _together(self.predicted)


def evaluate_structures(
    model: str | Path | PropertyPredictor,
    structures: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    label: str | None = None,
    species: Sequence[str] | None = None,
    label_species: str | Sequence[str] | None = None,
    allow_missing: bool = False,
    ceiling: float | None = None,
    engine: EngineName | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> Path:
    """Evaluates a model of kind symgnn on labelled structures that it has not seen.

    Writes metrics.json, figures and report.html into `out` and returns the path of the report.

    Args:
        model: file, name of a shipped model, or what `vitrify.engines.open.open_model` returned.
        structures: files, see `load_structures`, as label_species and allow_missing.
        out: folder; default: out/MODEL.evaluate.
        label: name of the labels in the files; default: that of the model's property.
        species: names of the types in the files, in their order; default: the model's.
        ceiling: the pooled Pearson correlation that a perfect model would reach, as labels are noisy.

    Raises:
        VitrifyError: as `load_structures`; files that were used to train the model; predictions that are no numbers.
    """
    from vitrify.symgnn.evaluate.report import write_page  # matplotlib takes a while to load

    loaded = open_model(model, engine, device, kind="symgnn") if isinstance(model, str | Path) else model
    paths = [Path(p) for p in ([structures] if isinstance(structures, str | Path) else structures)]
    name = label or loaded.metadata.property.name
    names = tuple(species or loaded.metadata.species)
    glasses = load_structures(paths, names, name, label_species=label_species, allow_missing=allow_missing)
    files = [{"name": path.name, "sha256": sha256(path)} for path in paths]
    _check_unseen(files, loaded.metadata)
    mine = [_as_model(glass, names, loaded.metadata.species) for glass in glasses]
    predicted = [predict(loaded, glass) for glass in tqdm(mine, desc="glasses", unit="glass", disable=not progress)]
    metrics = {
        "model": model_card(loaded),
        "label": name,
        "unit": loaded.metadata.property.unit,
        "runs_on": loaded.runs_on,
        "data": files,
        "versions": {"vitrify": vitrify.__version__},
        **measure(predicted, loaded.metadata.species, ceiling),
    }
    folder = Path(out) if out else Path("out") / f"{loaded.path.name.removesuffix('.pt')}.evaluate"
    folder.mkdir(parents=True, exist_ok=True)
    write_metrics(folder, metrics)
    return write_page(StructureEvaluation(loaded, name, ceiling, predicted, files, metrics), folder)


def _check_unseen(files: Sequence[dict[str, str]], model: SymGNNMetadata) -> None:
    seen = {entry.get("sha256") for entry in model.provenance.data}
    for file in files:
        if file["sha256"] in seen:
            raise VitrifyError(
                f"{file['name']} was used to train this model, so it says nothing about it: give glasses that were "
                "kept apart"
            )


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


def predict(loaded: PropertyPredictor, glass: LabelledStructure) -> Predicted:
    """What the model says of a glass whose types are the model's; VitrifyError if that is no number."""
    start = time.perf_counter()
    values, deviations = loaded.predict(glass.positions, glass.cell, glass.types)
    seconds = time.perf_counter() - start
    for what, found in (("prediction", values), ("standard deviation", deviations)):
        bad = ~np.isfinite(found)
        if bad.any():
            raise VitrifyError(
                f"{glass.name}: the {what} of {int(bad.sum())} atoms (first: {int(np.argmax(bad))}) is no number: "
                "do atoms overlap?"
            )
    return Predicted(glass, values, deviations, seconds, _outside(glass, loaded.metadata))


def _outside(glass: LabelledStructure, model: SymGNNMetadata) -> tuple[str, ...]:
    """Sentences on how a glass leaves the range of the training data; none if it does not."""
    volume = len(glass) / glass.number_density
    found = list(outside(glass.types, volume, model.species, model.validity).values())
    least = np.array(model.validity.min_distance or ())
    if len(least) and least.max() > 0:
        (i, j), vectors = neighbour_list(glass.positions, glass.cell, float(least.max()))
        high, low = np.maximum(glass.types[i], glass.types[j]), np.minimum(glass.types[i], glass.types[j])
        distance, pair = np.linalg.norm(vectors, axis=1), high * (high + 1) // 2 + low
        for number in np.unique(pair[distance < least[pair] * (1 - 1e-6)]):
            closest = int(np.argmin(np.where(pair == number, distance, np.inf)))
            names = "-".join(model.species[t] for t in (low[closest], high[closest]))
            found.append(
                f"{names} pairs at {distance[closest]:.4g}, the training data have none below {least[number]:.4g}"
            )
    return tuple(found)


def measure(predicted: Sequence[Predicted], species: Sequence[str], ceiling: float | None = None) -> dict[str, Any]:
    """All numbers of an evaluation; see `vitrify.analysis.scores` for what each of them is.

    species_mean: the scores of the mean label of each species, taken from these very labels: what can be known
    without looking at the structure. deviation: None if the model gives no positive standard deviations.
    """
    values, deviations, labels, types, numbers = _together(predicted)
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


def _together(
    predicted: Sequence[Predicted],
) -> tuple[Array, Array, Array, NDArray[np.int64], NDArray[np.int64]]:
    keep = [p.structure.labelled for p in predicted]
    pairs = list(zip(predicted, keep, strict=True))
    return (
        np.concatenate([p.values[k] for p, k in pairs]),
        np.concatenate([p.deviations[k] for p, k in pairs]),
        np.concatenate([p.structure.labels[k] for p, k in pairs]),
        np.concatenate([p.structure.types[k] for p, k in pairs]),
        np.repeat(np.arange(len(pairs)), [int(k.sum()) for k in keep]),
    )
