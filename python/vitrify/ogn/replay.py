"""Replays the reference case of an OGN."""

from __future__ import annotations

import numpy as np

from vitrify.engines.interface import Outputs
from vitrify.ogn.interface import MotionPredictor


def replay(model: MotionPredictor) -> tuple[Outputs, Outputs]:
    """The changes dr and dv (N, 3) of the reference case, from the engine and as expected."""
    metadata = model.metadata
    case = metadata.reference
    types = [metadata.species.index(name) for name in case.species]
    got = model.predict(case.positions, case.velocities, case.cell, types)
    return got, (np.array(case.dr), np.array(case.dv))
