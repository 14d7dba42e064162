"""Barriers by local sampling: short MD of an atom's surroundings, quenched until another minimum shows.

The baseline of the SymGNN paper's table 3, which gives no protocol; this one follows its source, Sastry et al., Nature
393, 554 (1998), in looking for the minima (inherent structures) that a trajectory passes: atoms near the chosen one
move at a temperature, all others stay; from time to time the configuration is quenched. The first minimum that is not
the start ends a search. The barrier is taken as the highest energy on the straight line between the two minima, an
upper bound of that between them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vitrify.datagen.artn import Found, Landscape
from vitrify.datagen.relax import largest, relax
from vitrify.units import Units


@dataclass(frozen=True)
class SamplingSettings:
    """Parameters of a search; the defaults are for metal units, `for_units` gives those of others.

    temperature: of the MD. timestep: of its steps. steps, every: of a search, and between two quenches.
    mobile_radius: atoms as near as this to the chosen one move in the MD.
    points: on the line between the minima. The others are as those of `vitrify.datagen.artn.ARTnSettings`.
    """

    temperature: float = 1500.0
    timestep: float = 0.002
    steps: int = 500
    every: int = 100
    mobile_radius: float = 5.0
    points: int = 15
    minimum_tolerance: float = 0.01
    longest: float = 0.2
    most_relaxations: int = 400
    stiffness: float = 8.0
    home: float = 0.1

    @classmethod
    def for_units(cls, units: str, **changes: Any) -> SamplingSettings:
        """The defaults in the LAMMPS units `metal` or `lj`."""
        found = cls()
        if units == "lj":
            found = replace(
                found, temperature=0.9, timestep=0.005, mobile_radius=2.0, minimum_tolerance=0.18, longest=0.07,
                stiffness=390.0, home=0.037,
            )  # fmt: skip
        return replace(found, **changes)


def sample(
    landscape: Landscape,
    distances: np.ndarray,
    masses: np.ndarray,
    units: Units,
    settings: SamplingSettings,
    rng: np.random.Generator,
) -> Found:
    """One search of atoms at `distances` (n,) from the chosen one, with masses (n,).

    The outcome is "accepted", or "no transition" where every quench led back.
    """
    near = (distances < settings.mobile_radius)[:, None]
    sigma = units.thermal_velocity(masses, settings.temperature)[:, None]
    # Half of the kinetic energy goes into the potential one.
    velocities = np.sqrt(2.0) * sigma * near * rng.normal(size=(len(masses), 3))
    kick = 0.5 * settings.timestep * units.ftm2v / masses[:, None] * near
    at = np.zeros_like(velocities)
    _, forces = landscape(at)
    for step in range(1, settings.steps + 1):
        velocities = velocities + kick * forces
        at = at + settings.timestep * velocities
        _, forces = landscape(at)
        velocities = velocities + kick * forces
        if step % settings.every == 0:
            end, depth, converged = relax(
                landscape, at, tolerance=settings.minimum_tolerance, most=settings.most_relaxations,
                longest=settings.longest, stiffness=settings.stiffness, home=settings.home,
            )  # fmt: skip
            if converged and largest(end) >= settings.home:
                parts = np.linspace(0.0, 1.0, settings.points + 2)[1:-1]
                heights = [landscape(part * end)[0] for part in parts]
                top = int(np.argmax(heights))
                barrier = max(float(heights[top]), depth)
                return Found("accepted", barrier, depth, saddle=parts[top] * end, minimum=end)
    return Found("no transition")
