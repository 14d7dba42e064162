"""The density of a latent space: a mixture of Gaussians, fitted to the latent vectors and energies of the data.

Where the KL term of the loss is weak, the latent vectors of the data are not distributed as the prior. Samples are
therefore drawn from this fitted density. The compiled core draws them, so that Python and LAMMPS get the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitrify import _core
from vitrify.core.errors import VitrifyError

_FLOOR = 1e-4  # smallest variance of a Gaussian, in units of the overall variance


@dataclass(frozen=True)
class Density:
    """A mixture of K Gaussians of (z, energy): weights (K,), means (K, D + 1), covariances (K, D + 1, D + 1)."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def sample(
        self, count: int, seed: int, low: float = -np.inf, high: float = np.inf
    ) -> tuple[np.ndarray, np.ndarray]:
        """Latent vectors (count, D) and energies (count,), conditioned on energies between low and high.

        Raises VitrifyError if the density has almost no weight at such energies.
        """
        z, energies = self._core().sample(count, seed, low, high)
        return np.asarray(z), np.asarray(energies)

    def quantiles(self, shares: Sequence[float]) -> np.ndarray:
        """The quantiles of the energy for some `shares` from 0 to 1: an array of their number."""
        core = self._core()
        return np.array([core.quantile(share) for share in shares])

    def _core(self) -> Any:
        return _core.LatentDensity(self.weights, self.means, self.covariances)


def fit_density(values: np.ndarray, components: int, seed: int = 0, rounds: int = 200) -> Density:
    """Gaussians fitted to rows (n, D + 1) of latent vector and energy, by expectation maximisation.

    At most n / (2 (D + 1)) of the `components` are fitted; the others get no weight. Rows with NaN or infinity are left
    out. rounds: largest number of iterations. Raises VitrifyError if fewer than two rows are left.
    """
    rows = values[np.isfinite(values).all(1)]
    if len(rows) < 2:
        raise VitrifyError(f"{len(rows)} structures with an energy are too few for a density: give more of them")
    centre, scale = rows.mean(0), rows.std(0) + 1e-12
    x = (rows - centre) / scale
    n, d = x.shape
    used = max(1, min(components, n // (2 * d)))
    random = np.random.default_rng(seed)
    means = x[random.choice(n, used, replace=False)]
    covariances = np.repeat(np.cov(x.T, bias=True).reshape(1, d, d) + _FLOOR * np.eye(d), used, axis=0)
    weights, before = np.full(used, 1.0 / used), -np.inf
    for _ in range(rounds):
        logs = np.stack([_log_density(x, m, c) for m, c in zip(means, covariances, strict=True)], 1) + np.log(weights)
        top = logs.max(1, keepdims=True)
        shares = np.exp(logs - top)
        likelihood = float((top[:, 0] + np.log(shares.sum(1))).mean())
        shares /= shares.sum(1, keepdims=True)
        if likelihood - before < 1e-6:
            break
        before = likelihood
        mass = shares.sum(0) + 1e-9
        weights, means = mass / mass.sum(), shares.T @ x / mass[:, None]
        for k in range(used):
            away = x - means[k]
            covariances[k] = (shares[:, k, None] * away).T @ away / mass[k] + _FLOOR * np.eye(d)
    full = np.zeros(components), np.tile(centre, (components, 1)), np.tile(np.diag(scale**2), (components, 1, 1))
    full[0][:used], full[1][:used] = weights, centre + scale * means
    full[2][:used] = covariances * np.outer(scale, scale)
    return Density(*full)


def _log_density(x: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    root = np.linalg.cholesky(covariance)
    away = np.linalg.solve(root, (x - mean).T)
    found: np.ndarray = -0.5 * (away**2).sum(0) - np.log(np.diag(root)).sum() - 0.5 * len(mean) * np.log(2 * np.pi)
    return found
