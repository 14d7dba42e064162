"""Replays the reference case of a SymGNN."""

from __future__ import annotations

import numpy as np

from vitrify.engines.interface import Outputs
from vitrify.symgnn.interface import PropertyPredictor


def replay(model: PropertyPredictor) -> tuple[Outputs, Outputs]:
    """The property and its standard deviation (N,) of the reference case, from the engine and as expected."""
    metadata = model.metadata
    case = metadata.reference
    types = [metadata.species.index(name) for name in case.species]
    got = model.predict(case.positions, case.cell, types)
    return got, (np.array(case.values), np.array(case.deviations))
