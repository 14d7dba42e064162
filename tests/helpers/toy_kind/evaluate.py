"""`vitrify evaluate` for the toy: predicted coordination numbers against labels, with one option of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toy_kind.engine import TorchToy
from vitrify.core.errors import VitrifyError
from vitrify.core.options import option
from vitrify.data.structures import load_structures
from vitrify.engines.open import open_model as open_engine
from vitrify.report.evaluation import Evaluation, EvaluationData
from vitrify.report.html import Report, number
from vitrify.report.metrics_file import model_card
from vitrify.report.provenance import add_provenance


@dataclass(frozen=True)
class Settings:
    """scale: labels are divided by it. seed: of another kind's option that the toy has, too."""

    scale: float = option(1.0, "toy: labels are divided by it")
    seed: int = option(7, "toy: a seed")


@dataclass(frozen=True)
class Results:
    """All that was measured."""

    model: TorchToy
    metrics: dict[str, Any]


def open_model(model: str | Path, settings: Settings) -> TorchToy:
    """The model of a file."""
    return open_engine(model, kind="toy")


def measure(model: TorchToy, data: EvaluationData, settings: Settings, folder: Path, progress: bool) -> Results:
    """Root mean square of labels, and of the errors of predictions."""
    if settings.scale <= 0:
        raise VitrifyError(f"scale is {settings.scale}, but must be above zero")
    structures = load_structures(data.files, model.metadata.species, model.metadata.quantity)
    labels = np.concatenate([each.labels for each in structures]) / settings.scale
    predicted = np.concatenate([model.predict(each.positions, each.cell, each.types) for each in structures])
    rms_error, rms_label = (float(np.sqrt(np.mean(values**2))) for values in (predicted - labels, labels))
    metrics = {
        "model": model_card(model),
        "data": data.sources,
        "versions": {"toy_kind": "1.0"},
        "settings": asdict(settings),
        "rms_error": rms_error,
        "rms_label": rms_label,
    }
    return Results(model, metrics)


def make_report(results: Results, folder: Path) -> Report:
    """One table, and where it is from."""
    report = Report(f"Evaluation of {results.model.path.name}", "neighbours of atoms")
    report.table(
        ["", "root mean square"], [[name, number(results.metrics[name])] for name in ("rms_error", "rms_label")]
    )
    add_provenance(report, results.model.metadata, results.metrics)
    return report


EVALUATION = Evaluation(
    Settings,
    open="toy_kind.evaluate:open_model",
    measure="toy_kind.evaluate:measure",
    report="toy_kind.evaluate:make_report",
    remedy="count other structures",
)
