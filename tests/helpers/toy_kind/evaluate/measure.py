"""Measuring the toy, and its page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toy_kind.evaluate import Settings
from toy_kind.torchscript import TorchToy
from vitrify.data.structures import load_structures
from vitrify.engines.open import open_model
from vitrify.report.evaluation import EvaluationData
from vitrify.report.html import Report


@dataclass(frozen=True)
class ToyResults:
    """All that was measured."""

    metrics: dict[str, Any]


def open_toy(model: str | Path, settings: Settings) -> TorchToy:
    """The model of a file."""
    found: TorchToy = open_model(model, kind="toy")
    return found


def measure(model: TorchToy, data: EvaluationData, settings: Settings, folder: Path, progress: bool) -> ToyResults:
    """Root mean squares of the errors and of the labels."""
    structures = load_structures(data.files, model.metadata.species, settings.label)
    errors = [model.predict(s.positions, s.cell, s.types) - s.labels for s in structures]
    labels = np.concatenate([s.labels for s in structures])
    rms = settings.scale * float(np.sqrt(np.mean(np.square(np.concatenate(errors)))))
    return ToyResults({"rms_error": rms, "rms_label": float(np.sqrt(np.mean(labels**2))), "data": data.sources})


def make_report(results: ToyResults, folder: Path) -> Report:
    """The page."""
    report = Report("Evaluation of a toy", "coordination numbers")
    report.table(["", "value"], [[name, str(value)] for name, value in results.metrics.items()])
    return report
