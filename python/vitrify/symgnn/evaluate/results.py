"""The results of an evaluation of models of a property of each atom: what `measure` finds and the report shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrify.data.structures import LabelledStructure
from vitrify.symgnn.interface import PropertyPredictor

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Predicted:
    """A structure and the predictions for its atoms, (N,) each, in the unit of the property.

    seconds: wall time of the prediction. outside: sentences on how the structure leaves the range of the training data.
    closest: smallest distance of each pair of species.
    """

    structure: LabelledStructure
    values: Array
    deviations: Array
    seconds: float
    outside: tuple[str, ...]
    closest: list[float] | None = None


@dataclass(frozen=True)
class SymGNNResults:
    """All that was measured. ceiling: see `Settings`."""

    opened: PropertyPredictor
    ceiling: float | None
    predicted: list[Predicted]
    metrics: dict[str, Any]

    def pooled(self) -> tuple[Array, Array, Array, NDArray[np.int64], NDArray[np.int64]]:
        """Values, deviations, labels, types and numbers of the glass of all labelled atoms, (M,) each."""
        return pooled(self.predicted)


def pooled(
    predicted: Sequence[Predicted],
) -> tuple[Array, Array, Array, NDArray[np.int64], NDArray[np.int64]]:
    """Values, deviations, labels, types and numbers of the glass of all labelled atoms, (M,) each."""
    keep = [p.structure.labelled for p in predicted]
    pairs = list(zip(predicted, keep, strict=True))
    return (
        np.concatenate([p.values[k] for p, k in pairs]),
        np.concatenate([p.deviations[k] for p, k in pairs]),
        np.concatenate([p.structure.labels[k] for p, k in pairs]),
        np.concatenate([p.structure.types[k] for p, k in pairs]),
        np.repeat(np.arange(len(pairs)), [int(k.sum()) for k in keep]),
    )
