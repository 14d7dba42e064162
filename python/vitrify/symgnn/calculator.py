"""The properties of a SymGNN in `GlassCalc`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrify.core.compiled import _core
from vitrify.core.validation import require_finite
from vitrify.symgnn.interface import PropertyPredictor
from vitrify.symgnn.metadata import SymGNNMetadata


def results(
    model: PropertyPredictor, positions: NDArray[np.float64], cell: NDArray[np.float64], types: NDArray[np.int64]
) -> dict[str, Any]:
    """The property of each atom, its standard deviation, and whether the atom is unlike the training data: (N,) each.

    positions: (N, 3). cell: (3, 3) rows. types: (N,) from 0. Raises VitrifyError for results that are not finite.
    """
    values, deviations = model.predict(positions, cell, types)
    name = model.metadata.property.name
    return {
        "barriers": require_finite(values, name),
        "barriers_std": require_finite(deviations, name),
        "barriers_outside": deviations > (model.metadata.validity.max_deviation or np.inf),
    }


def impossible(metadata: SymGNNMetadata, found: Mapping[str, Any]) -> str:
    """Why the properties of `results` are impossible: negative barriers, most atoms unlike the training data; or ""."""
    return refuse_property(metadata, found["barriers"], found["barriers_std"])


def refuse_property(metadata: SymGNNMetadata, values: NDArray[np.float64], deviations: NDArray[np.float64]) -> str:
    """The same for values and standard deviations (N,) of atoms, as compute symgnn/atom refuses them."""
    limit = metadata.validity.max_deviation or 0.0
    reason: str = _core.impossible_property(
        metadata.property.name,
        metadata.property.unit,
        atoms=len(values),
        negative=int((values < 0).sum()),
        lowest=float(values.min(initial=np.inf)),
        outside=int((deviations > limit).sum()) if limit else 0,
        limit=limit,
    )
    return reason
