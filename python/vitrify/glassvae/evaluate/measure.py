"""The measurements of an evaluation of latent models: energies and forces against labels, and simple baselines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import vitrify
from vitrify.core.progress import counted
from vitrify.data.frames import Frame, load_frames
from vitrify.engines.open import open_model as open_engine
from vitrify.glassvae.evaluate.latent import latent_scores, reconstruction
from vitrify.glassvae.evaluate.metrics import (
    LinearBaseline,
    Rdf,
    means_of,
    potential_scores,
    r_squared,
    rms,
    segments_of,
)
from vitrify.glassvae.evaluate.results import FrameSet, Generated, GlassVAEResults, Predictions
from vitrify.glassvae.evaluate.settings import Settings
from vitrify.glassvae.evaluate.structures import decoded_structures, generated_structures
from vitrify.glassvae.metadata import GlassVAEMetadata
from vitrify.glassvae.torchscript import TorchGlassVAE
from vitrify.report.evaluation import EvaluationData
from vitrify.report.metrics_file import model_card
from vitrify.report.outside import given, tell_outside


def open_model(model: str | Path, settings: Settings) -> TorchGlassVAE:
    """The model in TorchScript: the decoders of g(r), species and energies run there alone."""
    opened: TorchGlassVAE = open_engine(model, "torch", settings.device, kind="glassvae")
    return opened


def measure(
    opened: TorchGlassVAE, data: EvaluationData, settings: Settings, folder: Path, progress: bool
) -> GlassVAEResults:
    """Compares predictions with the labels of frames; several files are kept apart in the tables.

    data: extended XYZ with energies, as `load_frames` reads it; the first file is the test, others are external.
    Raises VitrifyError as `load_frames`.
    """
    metadata = opened.metadata
    of_files: dict[str, Any] = {"names": dict(settings.names), "stress_unit": settings.stress_unit}
    of_files |= {"units": metadata.units, "forces": False}
    parts = [load_frames([path], metadata.species, **of_files) for path in data.files]
    rdf = _bins(metadata)
    test = _frame_set([frame for part in parts for frame in part], rdf, metadata)
    known = load_frames(list(settings.training), metadata.species, **of_files) if settings.training else []
    training = _frame_set(known, rdf, metadata)

    start = time.process_time()
    bar = counted(test.frames, "structures", "structure", progress)
    predicted = [opened.predict(frame.positions, frame.cell, frame.types) for frame in bar]
    seconds = time.process_time() - start
    file = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    found = Predictions(opened, test, file, predicted, rdf)
    names = [source["name"] for source in data.sources]
    metrics: dict[str, Any] = {
        "model": model_card(opened),
        "data": data.sources,
        "training": [path.name for path in settings.training],
        "versions": {"vitrify": vitrify.__version__},
        "range": tell_outside(
            opened,
            (
                given(f"structure {number}", metadata, frame.positions, frame.cell, frame.types)
                for number, frame in enumerate(test.frames, 1)
            ),
        ),
        "microseconds_per_atom": 1e6 * seconds / sum(map(len, test.frames)),
        "potential": {name: _potential(found, file == number) for number, name in enumerate(names)},
        "baselines": _baselines(found, training, names),
    }
    predicted_rdf = None
    if opened.has_method("decode_rdf"):
        metrics["latent"], predicted_rdf = latent_scores(found, training)
    elif opened.has_method("reconstruct"):
        metrics["reconstruction"] = reconstruction(opened, test.frames)
    generated = _structures(found, training, settings, metrics, progress)
    return GlassVAEResults(found, predicted_rdf, generated, metrics)


def _structures(
    found: Predictions, training: FrameSet, settings: Settings, metrics: dict[str, Any], progress: bool
) -> Generated | None:
    """Adds scores of decoded and generated structures to `metrics`, as far as model and settings allow."""
    if found.opened.metadata.statistics is None or not settings.count:
        return None
    metrics["decoded"] = decoded_structures(found, settings, progress)
    if not settings.potential:
        return None
    frames = [*training.frames, *found.test.frames]
    generated = generated_structures(found.opened, frames, found.rdf, settings, progress)
    metrics["generated"] = generated.metrics
    return generated


def _bins(metadata: GlassVAEMetadata) -> Rdf:
    """The bins of the model's own g(r), or the usual ones."""
    hyper = metadata.hyperparameters
    return Rdf(hyper["start"], metadata.cutoff, hyper["bins"]) if "bins" in hyper else Rdf(stop=metadata.cutoff)


def _frame_set(frames: list[Frame], rdf: Rdf, metadata: GlassVAEMetadata) -> FrameSet:
    n_species = len(metadata.species)
    g = [rdf.of(frame.positions, frame.cell, frame.types, n_species) for frame in frames]
    pairs = n_species * (n_species + 1) // 2
    return FrameSet(frames, segments_of(frames), np.array(g).reshape(len(g), pairs, rdf.bins))


def _potential(found: Predictions, chosen: np.ndarray) -> dict[str, Any]:
    """Scores of the frames of a file: of all that have a temperature together, and of each part."""
    test = found.test

    def scores(where: np.ndarray) -> dict[str, Any]:
        numbers = np.flatnonzero(where).tolist()
        return potential_scores([test.frames[i] for i in numbers], [found.predicted[i] for i in numbers])

    thermal = chosen & test.thermal
    segments = {"segments": {name: scores(chosen & (test.segments == name)) for name in test.parts(chosen)}}
    return segments | ({"thermal": scores(thermal)} if thermal.any() else {})


def _baselines(found: Predictions, training: FrameSet, names: Sequence[str]) -> dict[str, Any]:
    """Baselines without a network, fitted to the training frames, for the thermal frames of each file."""
    if not training.frames:
        return {}
    test, warm, true = found.test, training.thermal, found.test.energies
    linear = LinearBaseline(training.rdf[warm], training.number_densities[warm], training.energies[warm])
    predicted = {
        "mean": means_of(training.energies, training.frames, test.frames),
        "linear": linear.predict(test.rdf, test.number_densities),
    }
    scores: dict[str, Any] = {}
    for number, name in enumerate(names):
        mine = test.thermal & (found.file == number)
        scores[name] = {
            baseline: {
                "energy_rmse": rms(values[mine] - true[mine]),
                "energy_r2": r_squared(values[mine], true[mine]),
                "within": {
                    part: r_squared(values[mine & (test.segments == part)], true[mine & (test.segments == part)])
                    for part in test.parts(mine)
                },
            }
            for baseline, values in predicted.items()
        }
    return scores
