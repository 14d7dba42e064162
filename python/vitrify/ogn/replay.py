"""Replaying the reference case of an OGN."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitrify.ogn.interface import MotionPredictor

Outputs = tuple[NDArray[np.float64], ...]


def replay(model: MotionPredictor) -> tuple[Outputs, Outputs]:
    """dr and dv (N, 3) of the reference case, as the engine gives them and as they should be."""
    metadata = model.metadata
    case = metadata.reference
    types = [metadata.species.index(name) for name in case.species]
    got = model.predict(case.positions, case.velocities, case.cell, types)
    return got, (np.array(case.dr), np.array(case.dv))
