"""Replaying the reference case of a SymGNN."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitrify.symgnn.interface import PropertyPredictor

Outputs = tuple[NDArray[np.float64], ...]


def replay(model: PropertyPredictor) -> tuple[Outputs, Outputs]:
    """The property and its deviation (N,) of the reference case, as the engine gives them and as they should be."""
    metadata = model.metadata
    case = metadata.reference
    types = [metadata.species.index(name) for name in case.species]
    got = model.predict(case.positions, case.cell, types)
    return got, (np.array(case.values), np.array(case.deviations))
