"""Time reversal: the distance from the start after steps forward and, with reversed velocities, as many back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from vitrify.ogn.evaluate.sampling import Path
from vitrify.ogn.evaluate.steppers import Stepper


def reversal(
    steppers: Mapping[str, Stepper],
    paths: Iterable[Path],
    counts: Sequence[int],
    tick: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, list[float]]]:
    """Root mean square distance from the start after n strides forward and n back, for each n in `counts`.

    Exact dynamics return to (r, -v). For each method: "x_rmse", "v_rmse", per component, and "v_rmse_over_v_std",
    one number for each count; NaN where the method gave no finite numbers.
    """
    squares: dict[str, list[np.ndarray]] = {name: [] for name in steppers}
    spread = []
    for path in paths:
        spread.append(np.mean(path.velocities[0] ** 2))
        for name, stepper in steppers.items():
            squares[name].append(_there_and_back(stepper, path, counts))
        tick()
    v_std = float(np.sqrt(np.mean(spread)))
    found = {}
    for name, each in squares.items():
        x, v = np.sqrt(np.mean(each, axis=0))
        found[name] = {"x_rmse": x.tolist(), "v_rmse": v.tolist(), "v_rmse_over_v_std": (v / v_std).tolist()}
    return found


def _there_and_back(stepper: Stepper, path: Path, counts: Sequence[int]) -> np.ndarray:
    """(2, counts) mean squared errors of positions and velocities."""
    errors = np.full((2, len(counts)), np.nan)
    x, v, done = path.positions[0], path.velocities[0], 0
    for column in np.argsort(counts):
        x, v = _advance(stepper, path, x, v, counts[column] - done)
        done = counts[column]
        x_back, v_back = _advance(stepper, path, x, -v, done)
        errors[:, column] = (
            np.mean((x_back - path.positions[0]) ** 2),
            np.mean((v_back + path.velocities[0]) ** 2),
        )
    return errors


def _advance(stepper: Stepper, path: Path, x: np.ndarray, v: np.ndarray, strides: int) -> tuple[np.ndarray, np.ndarray]:
    for _ in range(strides):
        x, v = stepper.step(x, v, path.cell, path.types)
    return x, v
