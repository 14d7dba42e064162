"""Saddle points of a glass by the activation-relaxation technique nouveau (ARTn).

Barkema and Mousseau, Phys. Rev. Lett. 77, 4358 (1996); Cances et al., J. Chem. Phys. 130, 114711 (2009); SymGNN paper,
A.5. From a minimum, an atom and its neighbours are pushed in a random direction until the lowest curvature of the
energy is negative (activation). Then the configuration climbs along the mode of this curvature while it relaxes in all
other directions, until no force is left (the saddle). It is accepted if that mode is the only one with a negative
curvature, and if the way down on one side leads back to the start and on the other side to another minimum.

All functions here work on displacements (n, 3) from the start, of atoms that are free to move, and on the potential
energy surface: a function from displacements to the energy above the start and the forces (n, 3). They know neither
LAMMPS nor units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from vitrify.datagen.barriers.lanczos import TINY, Mode, lowest_mode
from vitrify.datagen.barriers.lbfgs import LBFGS, largest, relax


class EnergyFunction(Protocol):
    """A potential energy surface: the energy above the start and the forces (n, 3) at displacements (n, 3).

    calls: how often it was evaluated. project: removes directions from vectors (n, 3) that change no energy.
    """

    calls: int

    def __call__(self, displacements: np.ndarray) -> tuple[float, np.ndarray]: ...

    def project(self, vectors: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class ARTnSettings:
    """Parameters of a search. Lengths are in A, energies in eV, forces in eV/A and curvatures in eV/A^2.

    These defaults are for Angstrom and eV; `for_units` scales them. A length of many atoms' displacements is that of
    the atom that is displaced furthest, and a force of many atoms is the largest one of an atom.

    The force tolerance is that of the SymGNN paper, A.5; the Lanczos displacement is usual in ARTn. Pushes are shorter
    than usual (0.3 to 0.4 A) and relaxed further, and atoms beyond the nearest neighbours are not pushed. What this
    costs beside longer pushes, and beside a dimer: benchmarks/results/artn/cost.md.
    """

    # Activation: pushes out of the well.
    push: float = 0.2  # A, of one push
    push_radius: float = 3.0  # A from the chosen atom: all atoms within it are pushed
    push_relaxations: int = 8  # steps downhill, across the push, after each push
    least_pushes: int = 3  # before the curvature is first computed
    most_pushes: int = 20  # before a search gives up
    threshold: float = -0.2  # eV/A^2: a lowest curvature below it begins the climb
    # Lowest modes, as in `vitrify.datagen.barriers.lanczos`.
    lanczos_displacement: float = 0.01  # A, of the finite differences
    lanczos_vectors: int = 16  # at most
    lanczos_tolerance: float = 0.5  # residual of the mode, as a share of its curvature
    # The climb to the saddle.
    climb: float = 0.15  # A, longest step
    climb_vectors: int = 6  # Lanczos vectors on the climb, at most
    turn: float = 0.3  # A, displacement after which the mode is computed anew
    most_climbs: int = 300  # force evaluations on the climb, at most
    force_tolerance: float = 0.05  # eV/A, largest force at a saddle
    # The ways down to both minima.
    minimum_tolerance: float = 0.01  # eV/A, largest force at a minimum
    nudge: float = 0.15  # A from the saddle, where both ways down begin
    longest: float = 0.2  # A, longest step
    most_relaxations: int = 400  # force evaluations on each way, at most
    stiffness: float = 8.0  # eV/A^2: a first step downhill is the force over it
    home: float = 0.1  # A: atoms nearer than this to the start are back there
    highest: float = 20.0  # eV above the start, at which a search gives up

    @classmethod
    def for_units(cls, units: str, **changes: Any) -> ARTnSettings:
        """The defaults in the LAMMPS units `metal` or `lj`.

        With a sigma of 2.7 A and an epsilon of 0.15 eV, a Kob-Andersen liquid has the spacing and the glass
        temperature of Cu-Zr.
        """
        found = cls()
        if units == "lj":
            length, energy = 1 / 2.7, 1 / 0.15
            powers = {
                **dict.fromkeys(("push", "push_radius", "lanczos_displacement", "climb", "turn"), (1, 0)),
                **dict.fromkeys(("nudge", "longest", "home"), (1, 0)),
                **dict.fromkeys(("force_tolerance", "minimum_tolerance"), (-1, 1)),
                **dict.fromkeys(("threshold", "stiffness"), (-2, 1)),
                "highest": (0, 1),
            }
            scaled = {name: getattr(found, name) * length**a * energy**b for name, (a, b) in powers.items()}
            found = replace(found, **scaled)
        return replace(found, **changes)


class SearchResult(NamedTuple):
    """The end of a search; fields that it did not reach are NaN and None.

    outcome: "accepted"; "not activated" (no negative curvature after all pushes); "no saddle" (the climb did not end);
    "not connected" (neither way down leads back to the start); "same minimum" (both do); "not relaxed" (a way down did
    not end). barrier, energy_change: energies of the saddle and of the other minimum above the start. curvature: of the
    mode at the saddle. saddle, minimum: displacements (n, 3).
    """

    outcome: str
    barrier: float = np.nan
    energy_change: float = np.nan
    curvature: float = np.nan
    saddle: np.ndarray | None = None
    minimum: np.ndarray | None = None


def search(surface: EnergyFunction, push: np.ndarray, settings: ARTnSettings, rng: np.random.Generator) -> SearchResult:
    """One search along the direction `push` (n, 3), whose longest row is 1."""
    activated = activate(surface, push, settings)
    if activated is None:
        return SearchResult("not activated")
    point, began = activated, surface.calls
    while True:
        climbed = climb(surface, *point, settings, settings.most_climbs - surface.calls + began)
        if climbed is None:
            return SearchResult("no saddle")
        saddle, energy, forces, mode = climbed
        other = second_mode(surface, saddle, forces, mode.vector, settings, rng)
        if other.curvature >= 0.0:
            return connect(surface, saddle, energy, mode, settings)
        # A saddle of second order: beside it, across the mode, there are lower ones.
        aside = other.vector / largest(other.vector) * settings.climb
        point = saddle + aside, *surface(saddle + aside), mode


def activate(
    surface: EnergyFunction, push: np.ndarray, settings: ARTnSettings
) -> tuple[np.ndarray, float, np.ndarray, Mode] | None:
    """Pushes until the lowest curvature is negative: displacements, energy, forces and the mode there; or None."""
    direction = surface.project(push)
    unit = direction / np.linalg.norm(direction)
    at, vector = np.zeros_like(push), unit
    across = LBFGS(settings.climb, settings.stiffness)
    for pushed in range(1, settings.most_pushes + 1):
        at = at + settings.push * direction
        across.move()
        for _ in range(settings.push_relaxations):
            energy, forces = surface(at)
            forces = forces - np.vdot(forces, unit) * unit
            step = across.step(at, forces)
            at = at + step - np.vdot(step, unit) * unit
        energy, forces = surface(at)
        if energy > settings.highest:
            return None
        if pushed >= settings.least_pushes:
            mode = mode_at(surface, at, forces, vector, settings)
            vector = mode.vector
            if mode.curvature < settings.threshold:
                return at, energy, forces, mode
    return None


def mode_at(
    surface: EnergyFunction, at: np.ndarray, forces: np.ndarray, start: np.ndarray, settings: ARTnSettings,
    least: int = 1, most: int = 0,
) -> Mode:  # fmt: skip
    """The lowest mode at `at` (n, 3), from a guess `start` (n, 3)."""
    return lowest_mode(
        surface, at, forces, surface.project(start), displacement=settings.lanczos_displacement, least=least,
        most=most or settings.lanczos_vectors, tolerance=settings.lanczos_tolerance,
    )  # fmt: skip


def climb(
    surface: EnergyFunction,
    at: np.ndarray,
    energy: float,
    forces: np.ndarray,
    mode: Mode,
    settings: ARTnSettings,
    most: int,
) -> tuple[np.ndarray, float, np.ndarray, Mode] | None:
    """Follows the lowest mode uphill, and goes downhill across it, to a saddle: displacements, energy, forces, mode.

    Quasi-Newton steps for the forces whose part along the mode is turned round: the saddle is their minimum. None if
    `most` force evaluations do not find it.
    """
    optimiser = LBFGS(settings.climb, settings.stiffness)
    began, looked = surface.calls, at
    while surface.calls - began < most and energy < settings.highest:
        if largest(forces) < settings.force_tolerance:
            mode = mode_at(surface, at, forces, mode.vector, settings, least=3)
            if mode.curvature < 0.0:
                return at, energy, forces, mode
        along = float(np.vdot(forces, mode.vector)) * mode.vector
        if mode.curvature < 0.0:
            step = optimiser.step(at, forces - 2.0 * along)
        else:  # back in the well: only uphill
            optimiser.forget()
            step = -along / max(largest(along), TINY) * settings.climb
        at = at + step
        energy, forces = surface(at)
        if largest(at - looked) > settings.turn or mode.curvature > 0.0:
            mode, looked = mode_at(surface, at, forces, mode.vector, settings, most=settings.climb_vectors), at
    return None


def second_mode(
    surface: EnergyFunction,
    saddle: np.ndarray,
    forces: np.ndarray,
    vector: np.ndarray,
    settings: ARTnSettings,
    rng: np.random.Generator,
) -> Mode:
    """The lowest mode across the mode `vector` (n, 3), as a few Lanczos vectors from a random start show it."""

    def across(v: np.ndarray) -> np.ndarray:
        return surface.project(v - np.vdot(v, vector) * vector)

    def without(at: np.ndarray) -> tuple[float, np.ndarray]:
        energy, found = surface(at)
        return energy, forces + across(found - forces)

    # where atoms have moved, soft modes are likely
    weights = np.linalg.norm(vector, axis=1, keepdims=True) + np.linalg.norm(saddle, axis=1, keepdims=True)
    start = across(rng.normal(size=saddle.shape) * weights)
    if np.linalg.norm(start) < 1e-8:  # there is no other direction
        return Mode(np.inf, start, np.inf)
    return lowest_mode(
        without, saddle, forces, start, displacement=settings.lanczos_displacement, least=5,
        most=settings.lanczos_vectors, tolerance=0.4 * settings.lanczos_tolerance,
    )  # fmt: skip


def connect(
    surface: EnergyFunction, saddle: np.ndarray, energy: float, mode: Mode, settings: ARTnSettings
) -> SearchResult:
    """Relaxes on both sides of a saddle, first on the side that seems to lead back to the start."""
    found = SearchResult("not connected", energy, curvature=mode.curvature, saddle=saddle)
    nudge = settings.nudge / largest(mode.vector) * mode.vector
    back = nudge if np.vdot(saddle, nudge) < 0.0 else -nudge
    ends = []
    for side in (back, -back):
        end, depth, converged = relax(
            surface, saddle + side, tolerance=settings.minimum_tolerance, most=settings.most_relaxations,
            longest=settings.longest, stiffness=settings.stiffness, home=settings.home,
        )  # fmt: skip
        if not converged or depth >= energy:  # the well is too shallow for the tolerances
            return found._replace(outcome="not relaxed")
        ends.append((end, depth, largest(end) < settings.home))
    came_home = [end for *_, end in ends]
    if all(came_home):
        return found._replace(outcome="same minimum")
    if not any(came_home):
        return found
    minimum, depth, _ = ends[came_home.index(False)]
    return found._replace(outcome="accepted", minimum=minimum, energy_change=depth)


def participation_ratio(displacements: np.ndarray) -> float:
    """How many atoms take part in displacements (n, 3): (sum u_i^2)^2 / sum u_i^4, 1 for one atom, n for all alike."""
    squares = np.square(displacements).sum(1)
    total = float(squares.sum())
    return total**2 / float(np.square(squares).sum()) if total > 0.0 else 0.0
