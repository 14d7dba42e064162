"""Scores of latent models: of their energies and forces, of baselines, and of their latent vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitrify.analysis.structure import soft_bins, soft_rdf
from vitrify.data.frames import Frame
from vitrify.engines.predictions import EnergyPrediction
from vitrify.graphs.neighbours import neighbour_list

_START, _BINS, _REACH = 1.5, 50, 6.5  # g(r): from, bins, to (A)
_SHELL = 4.2  # A: the end of the first shell of every pair of a metallic glass


@dataclass(frozen=True)
class Rdf:
    """g(r) in soft bins between start and stop, and distances between such g(r); lengths in A.

    shell: where the first shell of neighbours ends.
    """

    start: float = _START
    stop: float = _REACH
    bins: int = _BINS
    shell: float = _SHELL

    @property
    def r(self) -> np.ndarray:
        return soft_bins(self.start, self.stop, self.bins)

    def of(self, positions: np.ndarray, cell: np.ndarray, types: np.ndarray, n_species: int) -> np.ndarray:
        """Partial g(r) (P, bins), pairs a >= b at a (a + 1) / 2 + b."""
        pairs, vectors = neighbour_list(positions, cell, self.stop)
        volume = abs(float(np.linalg.det(cell)))
        distances = np.linalg.norm(vectors, axis=1)
        return soft_rdf(types, pairs, distances, volume, n_species, self.start, self.stop, self.bins)

    def error(self, g: np.ndarray, true: np.ndarray) -> np.ndarray:
        """Root mean square over pairs and bins of the difference (F, P, bins) -> (F,)."""
        found: np.ndarray = np.sqrt(np.square(g - true).mean((-2, -1)))
        return found

    def wasserstein(self, g: np.ndarray, true: np.ndarray) -> np.ndarray:
        """Distance between the distributions of neighbour distances below `shell`, mean over pairs: (F,)."""
        near = self.r <= self.shell
        weight = self.r[near] ** 2
        width = (self.stop - self.start) / self.bins

        def cumulative(values: np.ndarray) -> np.ndarray:
            density = np.clip(values[..., near], 0.0, None) * weight
            total = density.sum(-1, keepdims=True)
            share: np.ndarray = np.cumsum(density, -1) / np.where(total > 0, total, 1.0)
            return share

        found: np.ndarray = (np.abs(cumulative(g) - cumulative(true)).sum(-1) * width).mean(-1)
        return found


def segments_of(frames: Sequence[Frame]) -> np.ndarray:
    """Which part of a simulation each frame (F,) is of: its segment, else its temperature, else "all"."""
    return np.array(
        [f.segment or (f"{f.temperature:g}K" if np.isfinite(f.temperature) else "all") for f in frames], dtype=object
    )


def r_squared(predicted: np.ndarray, true: np.ndarray) -> float:
    """1 - mean square error over the variance of the true values; NaN for fewer than two different ones."""
    spread = float(np.var(true)) if len(true) > 1 else 0.0
    return 1.0 - float(np.mean((predicted - true) ** 2)) / spread if spread > 0 else float("nan")


def rms(values: np.ndarray) -> float:
    """Root mean square; NaN of nothing."""
    return float(np.sqrt(np.mean(np.square(values)))) if np.size(values) else float("nan")


def potential_scores(frames: Sequence[Frame], found: Sequence[EnergyPrediction]) -> dict[str, Any]:
    """Errors of energy (for each atom), forces and stress of some frames, in the units of the data.

    energy_of_range: the error of the energy in percent of the range of the energies, the paper's unit.
    """
    true = np.array([frame.energy_per_atom for frame in frames])
    predicted = np.array([each.energy / len(frame) for frame, each in zip(frames, found, strict=True)])
    known = [(f, a) for f, a in zip(frames, found, strict=True) if np.isfinite(f.forces).all()]
    forces = np.concatenate([f.forces.ravel() for f, _ in known]) if known else np.zeros(0)
    errors = np.concatenate([(a.forces - f.forces).ravel() for f, a in known]) if known else np.zeros(0)
    both = zip(frames, found, strict=True)
    stressed = [(a.stress - f.stress).ravel() for f, a in both if np.isfinite(f.stress).all()]
    span = float(np.ptp(true))
    return {
        "frames": len(frames),
        "energy_rmse": rms(predicted - true),
        "energy_bias": float(np.mean(predicted - true)),
        "energy_spread": float(np.std(true)),
        "energy_r2": r_squared(predicted, true),
        "energy_of_range": 100 * rms(predicted - true) / span if span > 0 else float("nan"),
        "force_rmse": rms(errors),
        "force_rms": rms(forces),
        "force_ratio": rms(errors) / rms(forces) if len(forces) and rms(forces) > 0 else float("nan"),
        "stress_rmse": rms(np.concatenate(stressed)) if stressed else float("nan"),
    }


class LinearBaseline:
    """Energy for each atom from partial g(r) and the density, by ridge regression on training frames."""

    def __init__(self, g: np.ndarray, density: np.ndarray, energies: np.ndarray) -> None:
        x = self._inputs(g, density)
        self.mean, self.scale = x.mean(0), x.std(0) + 1e-12
        x = (x - self.mean) / self.scale
        self.offset = float(energies.mean())
        u, s, vt = np.linalg.svd(x, full_matrices=False)
        y = u.T @ (energies - self.offset)
        # Generalised cross validation chooses the strength.
        penalties = s.max(initial=1.0) ** 2 * np.logspace(-8, 1, 40)
        shrink = s[:, None] ** 2 / (s[:, None] ** 2 + penalties)
        residuals = np.square((energies - self.offset)[:, None] - u @ (shrink * y[:, None])).mean(0)
        score = residuals / np.square(np.clip(1.0 - (shrink.sum(0) + 1) / len(x), 1e-3, None))
        best = penalties[int(np.argmin(score))]
        self.weights = vt.T @ (s / (s**2 + best) * y)

    def predict(self, g: np.ndarray, density: np.ndarray) -> np.ndarray:
        """g (F, P, bins), density (F,) -> (F,)"""
        found: np.ndarray = self.offset + (self._inputs(g, density) - self.mean) / self.scale @ self.weights
        return found

    @staticmethod
    def _inputs(g: np.ndarray, density: np.ndarray) -> np.ndarray:
        return np.column_stack([g.reshape(len(g), -1), density])


def means_of(values: np.ndarray, known: Sequence[Frame], frames: Sequence[Frame]) -> np.ndarray:
    """For each of the F frames, the mean (F, ...) of the values (T, ...) of known frames at its temperature.

    Between the temperatures of the known frames, the mean is interpolated. A frame of a part of a simulation without a
    temperature of its own gets the mean of this part, or else of all frames.
    """
    parts, own = segments_of(known), segments_of(frames)
    means = {name: values[parts == name].mean(0) for name in dict.fromkeys(parts.tolist())}
    at = {name: {f.temperature for f, part in zip(known, parts, strict=True) if part == name and f.thermal}
          for name in means}  # fmt: skip
    temperatures = sorted((min(t), name) for name, t in at.items() if len(t) == 1 and np.isfinite(min(t)))
    overall, found = values.mean(0), []
    for frame, name in zip(frames, own, strict=True):
        if name in means or not (temperatures and frame.thermal and np.isfinite(frame.temperature)):
            found.append(means.get(name, overall))
            continue
        below = max((step for step in temperatures if step[0] <= frame.temperature), default=temperatures[0])
        above = min((step for step in temperatures if step[0] >= frame.temperature), default=temperatures[-1])
        share = (frame.temperature - below[0]) / (above[0] - below[0]) if above[0] > below[0] else 0.0
        found.append((1 - share) * means[below[1]] + share * means[above[1]])
    return np.array(found)


def shuffled_between(segments: np.ndarray, seed: int = 0) -> np.ndarray:
    """For each frame, a random frame of another segment, or itself if there is one segment only: indices (F,)."""
    random = np.random.default_rng(seed)
    everything = np.arange(len(segments))
    found = everything.copy()
    for number in everything:
        others = everything[segments != segments[number]]
        if len(others):
            found[number] = random.choice(others)
    return found


def explained_by(values: np.ndarray, fit: np.ndarray, dimensions: int) -> float:
    """Root mean square error of the best linear code of so many numbers, fitted to `fit` (T, ...), on `values`."""
    flat, known = values.reshape(len(values), -1), fit.reshape(len(fit), -1)
    centre = known.mean(0)
    _, _, axes = np.linalg.svd(known - centre, full_matrices=False)
    kept = axes[:dimensions]
    away = flat - centre
    return rms(away - away @ kept.T @ kept)


def principal_axes(z: np.ndarray) -> np.ndarray:
    """Coordinates (F, 2) of latent vectors (F, latent) in the plane of their largest variance."""
    away = z - z.mean(0)
    _, _, axes = np.linalg.svd(away, full_matrices=False)
    plane: np.ndarray = away @ axes[:2].T
    return plane if plane.shape[1] == 2 else np.column_stack([plane, np.zeros(len(z))])


def projection(z: np.ndarray, seed: int = 0) -> tuple[np.ndarray, str]:
    """Latent vectors in a plane (F, 2), and how: by UMAP where umap-learn is installed, else their principal axes."""
    try:
        import umap
    except ImportError:
        return principal_axes(z), "principal axes"
    return np.asarray(umap.UMAP(random_state=seed).fit_transform(z), float), "UMAP"
