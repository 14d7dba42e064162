"""Gives a trained network the stress of a stride, by linear least squares on trajectories that hold the virial.

The network stays as it is: only the weights of `vitrify.ogn.models.stress`, in which the virial is linear, are fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vitrify.core.errors import VitrifyError
from vitrify.core.units import get_units
from vitrify.data.datasets import evenly_spread
from vitrify.data.trajectories import Trajectory
from vitrify.graphs.graph import Graph
from vitrify.graphs.neighbours import build_graph
from vitrify.ogn.models.stress import StressedPairOGN

# Relative weights of the penalty on large weights that are tried.
RIDGES = tuple(10.0**power for power in range(-10, -2))
FOLDS = 5
# Components xx, yy, zz, xy, xz, yz; those off the diagonal stand in the tensor twice, so that no direction is special.
_ROW_WEIGHTS = np.sqrt([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])


@dataclass(frozen=True)
class Sums:
    """Normal equations of some strides: Gram matrix (K, K) of the K features, their products (K,) with the targets."""

    gram: np.ndarray
    products: np.ndarray

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.gram + other.gram, self.products + other.products)

    def __sub__(self, other: Sums) -> Sums:
        return Sums(self.gram - other.gram, self.products - other.products)

    def solve(self, ridge: float) -> np.ndarray:
        """The weights (K,) with the least squares, each feature penalised as if it had the size 1."""
        size = np.sqrt(np.diag(self.gram))
        used = size > 1e-9 * size.max()
        weights = np.zeros(len(size))
        scaled = self.gram[np.ix_(used, used)] / np.outer(size[used], size[used])
        right = self.products[used] / size[used]
        weights[used] = np.linalg.solve(scaled + ridge * np.eye(used.sum()), right) / size[used]
        return weights

    def excess(self, weights: np.ndarray) -> float:
        """The sum of squared errors, but for the sum of squared targets."""
        return float(weights @ self.gram @ weights - 2.0 * weights @ self.products)


def frames_of_stride(timestep: float, base_timestep: float, frame_interval: int) -> int:
    """The number of frame intervals in a stride of `timestep`; VitrifyError if frames do not fall on its end."""
    ratio = timestep / (base_timestep * frame_interval)
    if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6 * ratio:
        raise VitrifyError(
            f"a stride of the model is {timestep:g}, but the files hold a frame every "
            f"{base_timestep * frame_interval:g}: make trajectories whose --every divides the stride"
        )
    return round(ratio)


def features(model: StressedPairOGN, trajectory: Trajectory, start: int) -> np.ndarray:
    """The derivatives (6, K) of the virial of the cell by the weights, for the stride that begins at frame `start`."""
    weights = list(model.stress.parameters())
    for weight in weights:
        weight.requires_grad_(True)
    virial = model.forward_with_virial(*_graph(model, trajectory, start))[2].sum(0)
    rows = [torch.autograd.grad(component, weights, retain_graph=True) for component in virial]
    return torch.stack([torch.cat([x.flatten() for x in row]) for row in rows]).double().numpy()


def _graph(model: StressedPairOGN, trajectory: Trajectory, frame: int) -> Graph:
    position, velocity = trajectory.positions[frame], trajectory.velocities[frame]
    return build_graph(position, velocity, trajectory.cell, trajectory.types, model.cutoff, model.times.dtype)


def strides(trajectory: Trajectory, frames: int, wanted: int) -> np.ndarray:
    """First frames of at most `wanted` strides of `frames` frame intervals, evenly spread."""
    possible = len(trajectory.times) - frames
    return evenly_spread(possible, wanted) if possible > 0 else np.zeros(0, int)


def sums_of(model: StressedPairOGN, trajectory: Trajectory, frames: int, wanted: int, done: Callable[[], None]) -> Sums:
    """The normal equations of the strides of a trajectory; targets and features are pressures times sqrt(atoms).

    Errors of the pressure fall with the number of atoms like its fluctuations, so that all rows have equal errors.
    """
    scale = _ROW_WEIGHTS * np.sqrt(len(trajectory.types)) / abs(float(np.linalg.det(trajectory.cell)))
    size = sum(weight.numel() for weight in model.stress.parameters())
    found = Sums(np.zeros((size, size)), np.zeros(size))
    for start in strides(trajectory, frames, wanted):
        x = scale[:, None] * features(model, trajectory, start)
        y = scale * trajectory.mean_virial(start, start + frames)
        found = found + Sums(x.T @ x, x.T @ y)
        done()
    return found


def best_ridge(parts: Sequence[Sums]) -> float:
    """The ridge with the smallest error on trajectories that are left out of the fit, a fifth of them at a time."""
    whole = sum(parts[1:], parts[0])
    folds = [sum(group[1:], group[0]) for group in (list(parts[k::FOLDS]) for k in range(FOLDS)) if group]
    if len(folds) < 2:
        return RIDGES[len(RIDGES) // 2]
    errors = [sum(fold.excess((whole - fold).solve(ridge)) for fold in folds) for ridge in RIDGES]
    return RIDGES[int(np.argmin(errors))]


def fit(parts: Sequence[Sums], model: StressedPairOGN) -> float:
    """Sets the weights of the model's stress by the normal equations of each trajectory; returns the ridge."""
    ridge = best_ridge(parts)
    weights = list(model.stress.parameters())
    ends = np.cumsum([weight.numel() for weight in weights])
    found = np.split(sum(parts[1:], parts[0]).solve(ridge), ends[:-1])
    with torch.no_grad():
        for weight, values in zip(weights, found, strict=True):
            weight.requires_grad_(False).copy_(torch.as_tensor(values.reshape(weight.shape)))
    return ridge


def number_density(trajectory: Trajectory) -> float:
    """Atoms per volume."""
    return len(trajectory.types) / abs(float(np.linalg.det(trajectory.cell)))


@dataclass(frozen=True)
class State:
    """Virial stresses of the strides of one trajectory, W / volume in the unit of pressure: MD's and predicted, (S, 6).

    temperature: the mean. number_density: atoms per volume.
    """

    temperature: float
    number_density: float
    true: np.ndarray
    predicted: np.ndarray

    @property
    def pressure_errors(self) -> np.ndarray:
        """Predicted less true pressure (S,)."""
        errors: np.ndarray = (self.predicted - self.true)[:, :3].mean(1)
        return errors

    @property
    def rms(self) -> float:
        """Root mean square error of the pressure."""
        return float(np.sqrt(np.mean(self.pressure_errors**2)))

    @property
    def bias(self) -> float:
        """Mean error of the pressure."""
        return float(self.pressure_errors.mean())


def compare(model: StressedPairOGN, trajectory: Trajectory, frames: int, wanted: int, units: str) -> State:
    """The stress of strides of a trajectory beside MD's."""
    volume = abs(float(np.linalg.det(trajectory.cell)))
    factor = get_units(units).nktv2p / volume
    true, predicted = [], []
    for start in strides(trajectory, frames, wanted):
        with torch.no_grad():
            virial = model.forward_with_virial(*_graph(model, trajectory, start))[2].sum(0).numpy()
        true.append(factor * trajectory.mean_virial(start, start + frames))
        predicted.append(factor * virial)
    return State(float(trajectory.temperature.mean()), number_density(trajectory), np.array(true), np.array(predicted))


def accuracy(states: Sequence[State]) -> dict[str, float]:
    """The figures of `vitrify.ogn.metadata.StressAccuracy`.

    rms: root mean square error of the pressure of a stride. bias: the largest mean error of a state. spread: standard
    deviation of MD's pressures. shear_r, shear_rms: correlation and root mean square error of the shear components.
    """
    errors = np.concatenate([state.pressure_errors for state in states])
    true, predicted = (np.concatenate([getattr(s, name) for s in states]) for name in ("true", "predicted"))
    shear, found = true[:, 3:].ravel(), predicted[:, 3:].ravel()
    return {
        "rms": float(np.sqrt(np.mean(errors**2))),
        "bias": max(abs(state.bias) for state in states),
        "spread": float(true[:, :3].mean(1).std()),
        "shear_r": float(np.corrcoef(shear, found)[0, 1]),
        "shear_rms": float(np.sqrt(np.mean((shear - found) ** 2))),
    }


def usable(trajectories: Sequence[Trajectory], frames: int) -> Iterator[Trajectory]:
    """The trajectories that hold a stride and the virial; VitrifyError for one that lacks the virial."""
    for trajectory in trajectories:
        if len(trajectory.times) > frames:
            trajectory.mean_virial(0, frames)
            yield trajectory
