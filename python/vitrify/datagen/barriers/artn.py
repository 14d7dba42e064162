"""Saddle points of a glass by the activation-relaxation technique nouveau (ARTn).

Barkema and Mousseau, Phys. Rev. Lett. 77, 4358 (1996); Cances et al., J. Chem. Phys. 130, 114711 (2009); SymGNN paper,
A.5. From a minimum, an atom and its neighbours are pushed in a random direction until the lowest curvature of the
energy is negative (activation). Then the configuration climbs along the mode of this curvature while it relaxes in all
other directions, until no force is left (the saddle). It is accepted if that mode is the only one with a negative
curvature, and if the way down on one side leads back to the start and on the other side to another minimum.

All here works on displacements (n, 3) from the start, of atoms that are free to move, and on a surface: a function
from displacements to the energy above the start and the forces (n, 3). It knows neither LAMMPS nor units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from vitrify.datagen.barriers.lanczos import TINY, Mode, lowest_mode
from vitrify.datagen.barriers.lbfgs import LBFGS, largest, relax


class EnergyFunction(Protocol):
    """Energy above the start and forces (n, 3) at displacements (n, 3); `project` takes out what costs no energy."""

    calls: int

    def __call__(self, displacements: np.ndarray) -> tuple[float, np.ndarray]: ...

    def project(self, vectors: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class ARTnSettings:
    """Parameters of a search; the defaults are for Angstrom and eV, `for_units` scales them.

    push, push_radius: how far the chosen atom, or one as near to it as this, is pushed at once (the farthest one).
    push_relaxations: steps downhill, across the push, after each push.
    least_pushes, most_pushes: pushes before the curvature is first looked at; before a search gives up.
    threshold: a lowest curvature below it begins the climb.
    lanczos_displacement, lanczos_vectors, lanczos_tolerance: of modes (`vitrify.datagen.barriers.lanczos`).
    climb, climb_vectors, turn: longest step of an atom on the climb; Lanczos vectors there; how far an atom moves
    before the mode is looked at anew. most_climbs: calls of the surface on it.
    force_tolerance, minimum_tolerance: largest force of an atom at a saddle, at a minimum.
    nudge: how far from the saddle the two ways down begin. longest, most_relaxations: longest step of an atom, and
    calls of the surface, on each.
    stiffness: of a first step downhill, force over length.
    home: atoms nearer than this to the start have come home.
    highest: a search that reaches this energy is given up.

    The force tolerance is that of the SymGNN paper, A.5; the Lanczos displacement is usual in ARTn. Pushes are shorter
    than usual (0.3 to 0.4 A) and relaxed further, and atoms beyond the nearest neighbours are not pushed. What this
    costs beside longer pushes, and beside a dimer: benchmarks/results/artn/cost.md.
    """

    push: float = 0.2
    push_radius: float = 3.0
    push_relaxations: int = 8
    least_pushes: int = 3
    most_pushes: int = 20
    threshold: float = -0.2
    lanczos_displacement: float = 0.01
    lanczos_vectors: int = 16
    lanczos_tolerance: float = 0.5
    climb: float = 0.15
    climb_vectors: int = 6
    turn: float = 0.3
    most_climbs: int = 300
    force_tolerance: float = 0.05
    minimum_tolerance: float = 0.01
    nudge: float = 0.15
    longest: float = 0.2
    most_relaxations: int = 400
    stiffness: float = 8.0
    home: float = 0.1
    highest: float = 20.0

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


class Found(NamedTuple):
    """What a search found: displacements (n, 3) and energies above the start; None and NaN where it ended before.

    outcome: "accepted"; "not activated" (no negative curvature after all pushes); "no saddle" (the climb did not end);
    "not connected" (neither way down leads back to the start); "same
    minimum" (both do); "not relaxed".
    """

    outcome: str
    barrier: float = np.nan
    energy_change: float = np.nan
    curvature: float = np.nan
    saddle: np.ndarray | None = None
    minimum: np.ndarray | None = None


def search(surface: EnergyFunction, push: np.ndarray, settings: ARTnSettings, rng: np.random.Generator) -> Found:
    """One search along the direction `push` (n, 3), whose longest row is 1."""
    activated = activate(surface, push, settings)
    if activated is None:
        return Found("not activated")
    point, began = activated, surface.calls
    while True:
        climbed = climb(surface, *point, settings, settings.most_climbs - surface.calls + began)
        if climbed is None:
            return Found("no saddle")
        saddle, energy, forces, mode = climbed
        other = second_mode(surface, saddle, forces, mode.vector, settings, rng)
        if other.curvature >= 0.0:
            return connect(surface, saddle, energy, mode, settings)
        # A saddle of second order: aside from it there are lower ones.
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
    surface: EnergyFunction,
    at: np.ndarray,
    forces: np.ndarray,
    start: np.ndarray,
    settings: ARTnSettings,
    least: int = 1,
    most: int = 0,
) -> Mode:
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
    `most` calls of the surface do not find it.
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
        else:  # back in the well: uphill alone
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


def connect(surface: EnergyFunction, saddle: np.ndarray, energy: float, mode: Mode, settings: ARTnSettings) -> Found:
    """Goes down from a saddle on both sides; which side leads back is guessed, and the other one tried if it is not."""
    found = Found("not connected", energy, curvature=mode.curvature, saddle=saddle)
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
