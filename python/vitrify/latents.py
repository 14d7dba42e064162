"""The density of a latent space: Gaussians fitted to the latent vectors of data, together with their energies.

Prior and aggregate posterior differ where the KL term is weak, so that samples come from what the data are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from vitrify.errors import VitrifyError

_FLOOR = 1e-4  # share of the overall variance that no Gaussian falls below


@dataclass(frozen=True)
class Density:
    """A mixture of K Gaussians of (z, energy): weights (K,), means (K, D + 1), covariances (K, D + 1, D + 1)."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Latent vectors (count, D) of any energy."""
        random = np.random.default_rng([seed, 1])
        chosen = random.choice(len(self.weights), count, p=self.weights)
        noise = random.normal(size=(count, self.means.shape[1]))
        roots = np.array([_root(covariance) for covariance in self.covariances])
        drawn: np.ndarray = self.means[chosen] + np.einsum("nij,nj->ni", roots[chosen], noise)
        return drawn[:, :-1]

    def sample_between(self, low: float, high: float, count: int, seed: int) -> np.ndarray:
        """Latent vectors (count, D) that go with energies between low and high.

        Raises VitrifyError if such energies are so rare in the data that nothing is known of them.
        """
        if not low < high:
            raise VitrifyError(f"the energies {low:g} to {high:g} leave nothing between them: give the lower one first")
        random = np.random.default_rng([seed, 2])
        mean, spread = self.means[:, -1], np.sqrt(self.covariances[:, -1, -1])
        below, above = ndtr((low - mean) / spread), ndtr((high - mean) / spread)
        share = self.weights * (above - below)
        if share.sum() < 1e-6:
            known = self.quantiles((0.01, 0.99))
            raise VitrifyError(
                f"energies from {low:.6g} to {high:.6g} are not in the data, whose lie from {known[0]:.6g} to "
                f"{known[1]:.6g}: give others"
            )
        chosen = random.choice(len(share), count, p=share / share.sum())
        ranks = below[chosen] + random.random(count) * (above - below)[chosen]
        energies = mean[chosen] + spread[chosen] * ndtri(np.clip(ranks, 1e-12, 1 - 1e-12))
        found = np.empty((count, self.means.shape[1] - 1))
        for number, (k, energy) in enumerate(zip(chosen, energies, strict=True)):
            across = self.covariances[k, :-1, -1] / spread[k] ** 2
            rest = self.covariances[k, :-1, :-1] - np.outer(across, across) * spread[k] ** 2
            noise = _root(rest) @ random.normal(size=len(rest))
            found[number] = self.means[k, :-1] + across * (energy - mean[k]) + noise
        return found

    def quantiles(self, shares: tuple[float, ...]) -> np.ndarray:
        """Energies below which these shares of the density lie."""
        mean, spread = self.means[:, -1], np.sqrt(self.covariances[:, -1, -1])
        grid = np.linspace((mean - 6 * spread).min(), (mean + 6 * spread).max(), 4001)
        total = (self.weights * ndtr((grid[:, None] - mean) / spread)).sum(1)
        found: np.ndarray = np.interp(shares, total, grid)
        return found


def fit_density(values: np.ndarray, components: int, seed: int = 0, rounds: int = 200) -> Density:
    """Gaussians for rows (n, D + 1) of latent vector and energy, by expectation and maximisation.

    As many of them as there are rows for: one for each two dimensions' worth of rows at most, and the rest of the
    `components` have no weight. Rows that hold no numbers are left out.
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


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix whose product with its transpose is the covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    root: np.ndarray = vectors * np.sqrt(np.clip(values, 0.0, None))
    return root
