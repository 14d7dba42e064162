"""Replays the reference case of a model file in any engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError
from vitrify.engines.interface import Engine
from vitrify.kinds import KINDS


def deviations(model: Engine) -> list[float]:
    """Replays the reference case; the largest deviation of each output, over the root mean square of that output."""
    got, expected = KINDS[model.metadata.kind].load("replay")(model)
    return [relative_error(g, e) for g, e in zip(got, expected, strict=True)]


def check_reference(model: Engine) -> float:
    """Replays the reference case; the largest of the `deviations`."""
    return max(deviations(model))


def require_reference(model: Engine) -> float:
    """`check_reference`, raising VitrifyError if the deviation of an output exceeds its tolerance."""
    found, reference = deviations(model), model.metadata.reference
    allowed = reference.tolerances or (reference.tolerance,) * len(found)
    if len(allowed) < len(found):
        raise VitrifyError(
            f"{model.path}: the reference case has {len(allowed)} tolerances, but more outputs: export the model again"
        )
    for error, tolerance in zip(found, allowed, strict=False):
        if not error <= tolerance:
            raise VitrifyError(
                f"{model.path}: the reference case is off by {error:.1e} of the output's rms, {tolerance:.0e} is "
                f"allowed: the model computes wrongly here on {model.runs_on}; run vitrify doctor"
            )
    return max(found)


def relative_error(got: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """The largest deviation over the root mean square of `expected`; infinite if a deviation is NaN."""
    deviation = float(np.max(np.abs(got - expected), initial=0.0))
    scale = float(np.sqrt(np.mean(np.square(expected)))) or 1.0
    return deviation / scale if np.isfinite(deviation) else float("inf")
