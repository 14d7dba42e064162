"""Replays the reference case of a model file in any engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError
from vitrify.engines.interface import Engine
from vitrify.kinds import KINDS


def check_reference(model: Engine) -> float:
    """Replays the reference case; the largest deviation of any output, over the root mean square of that output."""
    got, expected = KINDS[model.metadata.kind].load("replay")(model)
    return max(relative_error(g, e) for g, e in zip(got, expected, strict=True))


def require_reference(model: Engine) -> float:
    """`check_reference`, raising VitrifyError if the deviation exceeds the model's tolerance."""
    error, tolerance = check_reference(model), model.metadata.reference.tolerance
    if not error <= tolerance:
        raise VitrifyError(
            f"{model.path}: the reference case is off by {error:.1e} of the output's rms, {tolerance:.0e} is allowed: "
            f"the model computes wrongly here on {model.runs_on}; run vitrify doctor"
        )
    return error


def relative_error(got: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """The largest deviation over the root mean square of `expected`; infinite if a deviation is NaN."""
    deviation = float(np.max(np.abs(got - expected), initial=0.0))
    scale = float(np.sqrt(np.mean(np.square(expected)))) or 1.0
    return deviation / scale if np.isfinite(deviation) else float("inf")
