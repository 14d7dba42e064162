"""Energy surfaces whose saddles are known, as landscapes of saddle searches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Surface = Callable[[np.ndarray], tuple[float, np.ndarray]]


class PlaneSurface:
    """A surface over the plane as a surface of displacements (1, 2) from `start`."""

    def __init__(self, surface: Surface, start: np.ndarray) -> None:
        self.surface, self.start, self.calls = surface, np.asarray(start, float), 0
        self.base = surface(self.start)[0]

    def __call__(self, displacements: np.ndarray) -> tuple[float, np.ndarray]:
        self.calls += 1
        energy, gradient = self.surface(self.start + displacements[0])
        return energy - self.base, -gradient[None]

    def project(self, vectors: np.ndarray) -> np.ndarray:
        return vectors


def double_well(x: np.ndarray) -> tuple[float, np.ndarray]:
    """(x^2 - 1)^2 + 2 (y - x^2 / 2)^2: minima at x = -1 and 1, the saddle between them at the origin, 1 above."""
    bend = x[1] - 0.5 * x[0] ** 2
    energy = (x[0] ** 2 - 1.0) ** 2 + 2.0 * bend**2
    return float(energy), np.array([4.0 * x[0] * (x[0] ** 2 - 1.0) - 4.0 * bend * x[0], 4.0 * bend])


def mueller_brown(x: np.ndarray) -> tuple[float, np.ndarray]:
    """The surface of Mueller and Brown, Theor. Chim. Acta 53, 75 (1979), over 100."""
    height = np.array([-200.0, -100.0, -170.0, 15.0]) / 100.0
    a, b, c = np.array([-1.0, -1.0, -6.5, 0.7]), np.array([0.0, 0.0, 11.0, 0.6]), np.array([-10.0, -10.0, -6.5, 0.7])
    dx, dy = x[0] - np.array([1.0, 0.0, -0.5, -1.0]), x[1] - np.array([0.0, 0.5, 1.5, 1.0])
    terms = height * np.exp(a * dx**2 + b * dx * dy + c * dy**2)
    return float(terms.sum()), np.array([terms @ (2 * a * dx + b * dy), terms @ (b * dx + 2 * c * dy)])
