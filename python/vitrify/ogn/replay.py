"""Replays the reference case of an OGN."""

from __future__ import annotations

import numpy as np

from vitrify.engines.interface import Outputs
from vitrify.ogn.interface import MotionPredictor, StressPredictor


def replay(model: MotionPredictor) -> tuple[Outputs, Outputs]:
    """The changes dr and dv (N, 3) of the reference case, from the engine and as expected.

    With the virial (6,), if the model gives the stress of a stride and the engine can compute it.
    """
    metadata = model.metadata
    case = metadata.reference
    types = [metadata.species.index(name) for name in case.species]
    arguments = case.positions, case.velocities, case.cell, types
    if case.virial is not None and isinstance(model, StressPredictor):
        return model.predict_with_virial(*arguments), (np.array(case.dr), np.array(case.dv), np.array(case.virial))
    return model.predict(*arguments), (np.array(case.dr), np.array(case.dv))
