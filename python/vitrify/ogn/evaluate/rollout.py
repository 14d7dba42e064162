"""Roll-out error: the distance of a predicted path from the true one, by time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from vitrify.ogn.evaluate.results import Rollout
from vitrify.ogn.evaluate.sampling import Path
from vitrify.ogn.evaluate.steppers import Stepper


def rollout(
    steppers: Mapping[str, Stepper],
    paths: Iterable[Path],
    timestep: float,
    kicks: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 1,
    tick: Callable[[], None] = lambda: None,
) -> Rollout:
    """Follows every path with every method, from its first frame.

    kicks: (position, velocity) standard deviations by which the start of a method is displaced. With the exact
    dynamics, this shows how fast an error of that size grows by chaos alone.
    """
    rng = np.random.default_rng(seed)
    squares: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in steppers}
    spread = []
    frames = 0
    for path in paths:
        frames = len(path.positions)
        spread.append(np.mean(path.velocities**2))
        for name, stepper in steppers.items():
            kick = (kicks or {}).get(name, (0.0, 0.0))
            squares[name].append(_follow(stepper, path, [scale * _noise(rng, path) for scale in kick]))
        tick()
    result = Rollout(np.arange(frames) * timestep, len(spread), float(np.sqrt(np.mean(spread))))
    for name, pairs in squares.items():
        for mean, error, column in ((result.x, result.x_stderr, 0), (result.v, result.v_stderr, 1)):
            values = np.array([pair[column] for pair in pairs])
            mean[name] = np.sqrt(values.mean(axis=0))
            error[name] = np.sqrt(values).std(axis=0) / np.sqrt(max(1, len(values) - 1))
    return result


def _noise(rng: np.random.Generator, path: Path) -> np.ndarray:
    noise: np.ndarray = rng.normal(size=path.positions[0].shape)
    centred: np.ndarray = noise - noise.mean(axis=0)
    return centred


def _follow(stepper: Stepper, path: Path, kick: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared errors of positions and velocities (F,) along one path."""
    x, v = path.positions[0] + kick[0], path.velocities[0] + kick[1]
    errors = np.full((2, len(path.positions)), np.nan)
    for i in range(len(path.positions)):
        if i:
            x, v = stepper.step(x, v, path.cell, path.types)
        errors[:, i] = np.mean((x - path.positions[i]) ** 2), np.mean((v - path.velocities[i]) ** 2)
        if not np.isfinite(errors[:, i]).all():
            break
    return errors[0], errors[1]
