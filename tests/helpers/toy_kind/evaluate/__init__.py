"""`vitrify evaluate` for the toy: coordination numbers against labels."""

from __future__ import annotations

from dataclasses import dataclass

from vitrify.core.options import option
from vitrify.report.evaluation import Evaluation


@dataclass(frozen=True)
class Settings:
    """label: name of the labels in the files. scale: what the errors are multiplied by."""

    label: str = "coordination"
    scale: float = option(1.0, "factor of the errors")


EVALUATION = Evaluation(
    Settings,
    open="toy_kind.evaluate.measure:open_toy",
    measure="toy_kind.evaluate.measure:measure",
    report="toy_kind.evaluate.measure:make_report",
    remedy="give other structures",
)
