"""Replaying the reference case of the toy."""

from __future__ import annotations

import numpy as np

from toy_kind.torchscript import TorchToy


def replay(model: TorchToy) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Coordination numbers of the reference case, as they are and as they should be."""
    case = model.metadata.reference
    types = [model.metadata.species.index(name) for name in case.species]
    return (model.predict(case.positions, case.cell, types),), (np.array(case.values),)
