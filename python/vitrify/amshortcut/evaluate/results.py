"""The results of an evaluation of generators: what `measure` finds and the report shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vitrify.amshortcut.evaluate.metrics import Measured, ReferenceEnsemble
from vitrify.amshortcut.evaluate.runs import Run
from vitrify.amshortcut.evaluate.settings import Settings
from vitrify.amshortcut.metadata import AMShortcutMetadata


@dataclass(frozen=True)
class AMShortcutResults:
    """All that was measured. measured: for each of `runs`; recipe: of the reference data."""

    name: str
    metadata: AMShortcutMetadata
    settings: Settings
    reference: ReferenceEnsemble
    runs: list[Run]
    measured: list[Measured]
    recipe: dict[str, Any]
    metrics: dict[str, Any]
