"""The results of an explanation: what `measure` finds and the report shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vitrify.data.structures import LabelledStructure
from vitrify.symgnn.explain.explainer import Explanation
from vitrify.symgnn.explain.mask import MaskedModel
from vitrify.symgnn.explain.null_tests import CycleTable, Distances
from vitrify.symgnn.explain.settings import Settings
from vitrify.symgnn.explain.topology import Cycles


@dataclass(frozen=True)
class ExplainedModel:
    """One model: its file's hash, explanations of the chosen atoms, and their statistics beside their nulls."""

    model: MaskedModel
    digest: str
    explanations: list[Explanation]
    distances: Distances
    cycles: CycleTable | None

    @property
    def name(self) -> str:
        """File name and variant, for tables and figures."""
        return f"{self.model.path.name} ({self.model.metadata.variant})"


@dataclass(frozen=True)
class ExplainResults:
    """All that was found. models: the baseline last. source: name of the file. without_cycles: why there are none."""

    models: list[ExplainedModel]
    structure: LabelledStructure
    source: str
    settings: Settings
    cycles: Cycles | None
    without_cycles: str
    metrics: dict[str, Any]
