"""The softest modes of an energy surface from forces only (Lanczos, J. Res. Natl. Bur. Stand. 45, 255 (1950))."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

EnergyAndForces = Callable[[np.ndarray], tuple[float, np.ndarray]]
TINY = 1e-12


class Mode(NamedTuple):
    """The lowest eigenvalue, its unit vector (n, 3), and the second lowest Ritz value of the same Lanczos vectors."""

    curvature: float
    vector: np.ndarray
    second: float


def lowest_mode(
    surface: EnergyAndForces,
    at: np.ndarray,
    forces: np.ndarray,
    start: np.ndarray,
    *,
    displacement: float,
    least: int = 1,
    most: int = 16,
    tolerance: float = 0.01,
) -> Mode:
    """The lowest eigenvalue of the Hessian at `at` (n, 3), where the forces are `forces` (n, 3).

    One force evaluation for each vector: the Hessian times a unit vector is the change of forces over
    `displacement` along it. Vectors are kept orthogonal to all before. It ends after `least` to `most` vectors, when
    the residual |H v - curvature v| of the mode v is less than `tolerance` times its curvature; a `start` (n, 3) close
    to the mode needs the fewest.
    """
    basis = [start / max(float(np.linalg.norm(start)), TINY)]
    products: list[np.ndarray] = []
    projected = np.zeros((0, 0))
    while True:
        q = basis[-1]
        product = (forces - surface(at + displacement * q)[1]) / displacement
        products.append(product)
        size = len(products)
        grown = np.zeros((size, size))
        grown[:-1, :-1] = projected
        # forward differences: symmetric but for terms of first order in the displacement
        grown[-1, :] = grown[:, -1] = [np.vdot(b, product) for b in basis]
        projected = grown
        values, vectors = np.linalg.eigh(projected)
        rest = product - sum((np.vdot(b, product) * b for b in basis), np.zeros_like(product))
        rest -= sum((np.vdot(b, rest) * b for b in basis), np.zeros_like(rest))
        length = float(np.linalg.norm(rest))
        settled = length * abs(vectors[-1, 0]) <= tolerance * abs(values[0])
        if (size >= least and settled) or size >= min(most, start.size) or length < TINY + 1e-8 * abs(values[-1]):
            break
        basis.append(rest / length)
    vector = sum((c * b for c, b in zip(vectors[:, 0], basis, strict=True)), np.zeros_like(start))
    return Mode(float(values[0]), vector / np.linalg.norm(vector), float(values[1]) if size > 1 else np.inf)
