"""What a SymGNN gives in `GlassCalc`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrify.core.validation import require_finite
from vitrify.symgnn.interface import PropertyPredictor
from vitrify.symgnn.metadata import SymGNNMetadata


def results(
    model: PropertyPredictor, positions: NDArray[np.float64], cell: NDArray[np.float64], types: NDArray[np.int64]
) -> dict[str, Any]:
    """The property of each atom (N,), its standard deviation (N,), and whether the atom is unlike the training data."""
    values, deviations = model.predict(positions, cell, types)
    name = model.metadata.property.name
    return {
        "barriers": require_finite(values, name),
        "barriers_std": require_finite(deviations, name),
        "barriers_outside": deviations > (model.metadata.validity.max_deviation or np.inf),
    }


def quantity(metadata: SymGNNMetadata) -> str:
    """What is predicted, in a word."""
    return metadata.property.name
