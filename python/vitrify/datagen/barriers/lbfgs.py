"""Limited-memory BFGS without a line search: one force evaluation for each step (Liu and Nocedal, 1989)."""

from __future__ import annotations

from collections import deque

import numpy as np

from vitrify.datagen.barriers.lanczos import EnergyAndForces


class LBFGS:
    """Steps (n, 3) downhill from forces (n, 3); no atom moves further than `longest` in one step.

    stiffness: force over displacement, of the first step; later steps estimate it from the forces so far.
    """

    def __init__(self, longest: float, stiffness: float, memory: int = 12) -> None:
        self.longest, self.stiffness = longest, stiffness
        self.pairs: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=memory)
        self.last: tuple[np.ndarray, np.ndarray] | None = None

    def step(self, at: np.ndarray, forces: np.ndarray) -> np.ndarray:
        """The next step from `at` (n, 3), where the forces are `forces` (n, 3)."""
        if self.last is not None:
            s, y = at - self.last[0], self.last[1] - forces
            sy = float(np.vdot(s, y))
            if sy > 1e-10 * float(np.linalg.norm(s) * np.linalg.norm(y)):
                self.pairs.append((s, y, 1.0 / sy))
        self.last = at.copy(), forces.copy()
        direction, weights = forces.copy(), []
        for s, y, rho in reversed(self.pairs):
            weights.append(rho * float(np.vdot(s, direction)))
            direction -= weights[-1] * y
        if self.pairs:
            s, y, rho = self.pairs[-1]
            direction *= 1.0 / (rho * float(np.vdot(y, y)))
        else:
            direction /= self.stiffness
        for (s, y, rho), weight in zip(self.pairs, reversed(weights), strict=True):
            direction += (weight - rho * float(np.vdot(y, direction))) * s
        if np.vdot(direction, forces) <= 0.0:  # the memory is of another valley
            self.pairs.clear()
            direction = forces / self.stiffness
        largest = float(np.linalg.norm(direction, axis=1).max())
        return direction * min(1.0, self.longest / max(largest, 1e-300))

    def move(self) -> None:
        """Lets the next step begin elsewhere; the estimate of the curvature stays."""
        self.last = None

    def forget(self) -> None:
        """Lets the next step begin without an estimate of the curvature."""
        self.pairs.clear()
        self.last = None


def largest(vectors: np.ndarray) -> float:
    """The length of the longest of vectors (n, 3)."""
    return float(np.sqrt(np.square(vectors).sum(1).max()))


def relax(
    surface: EnergyAndForces,
    start: np.ndarray,
    *,
    tolerance: float,
    most: int,
    longest: float,
    stiffness: float,
    home: float = 0.0,
) -> tuple[np.ndarray, float, bool]:
    """Goes downhill from displacements `start` (n, 3) until no force is above `tolerance`.

    home: a distance; where all displacements are shorter, and energy and forces are those of a harmonic well, it ends:
    the atoms are back where the search began. Returns displacements, energy, and whether it converged (or is back)
    within `most` force evaluations.
    """
    optimiser, at = LBFGS(longest, stiffness), start
    for _ in range(most):
        energy, forces = surface(at)
        if largest(forces) < tolerance:
            return at, energy, True
        # In a well E = -f u / 2, and the forces point home.
        work = -0.5 * float(np.vdot(forces, at))
        if largest(at) < home and work > 0.0 and abs(energy - work) < 0.2 * work:
            return at, energy, True
        at = at + optimiser.step(at, forces)
    return at, energy, False
