"""Barriers by local sampling: short MD of an atom's surroundings, quenched until another minimum shows.

The baseline of the SymGNN paper's table 3, which gives no protocol; this one follows its source, Sastry et al., Nature
393, 554 (1998), in looking for the minima (inherent structures) that a trajectory passes: atoms near the chosen one
move at a temperature, all others stay; from time to time the configuration is quenched. The first minimum that is not
the start ends a search. The barrier is the highest energy on a short string between the two minima, which has been
relaxed for a few steps only (the string method: E, Ren and Vanden-Eijnden, J. Chem. Phys. 126, 164103 (2007)): it is
cheap, and rather too high.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from vitrify.core.units import Units
from vitrify.datagen.barriers.artn import EnergyFunction, Found
from vitrify.datagen.barriers.lanczos import TINY
from vitrify.datagen.barriers.lbfgs import largest, relax


@dataclass(frozen=True)
class SamplingSettings:
    """Parameters of a search; the defaults are for metal units, `for_units` gives those of others.

    temperature: of the MD. timestep: of its steps. steps, every: of a search, and between two quenches.
    mobile_radius: atoms as near as this to the chosen one move in the MD.
    images, iterations: of the string. The others are as those of `vitrify.datagen.barriers.artn.ARTnSettings`.
    """

    temperature: float = 3000.0
    timestep: float = 0.002
    steps: int = 500
    every: int = 100
    mobile_radius: float = 7.0
    images: int = 7
    iterations: int = 20
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
                found, temperature=1.7, timestep=0.005, mobile_radius=2.6, minimum_tolerance=0.18, longest=0.07,
                stiffness=390.0, home=0.037,
            )  # fmt: skip
        return replace(found, **changes)


def sample(
    surface: EnergyFunction,
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
    _, forces = surface(at)
    for step in range(1, settings.steps + 1):
        velocities = velocities + kick * forces
        at = at + settings.timestep * velocities
        _, forces = surface(at)
        velocities = velocities + kick * forces
        if step % settings.every == 0:
            end, depth, converged = relax(
                surface, at, tolerance=settings.minimum_tolerance, most=settings.most_relaxations,
                longest=settings.longest, stiffness=settings.stiffness, home=settings.home,
            )  # fmt: skip
            if converged and largest(end) >= settings.home:
                barrier, top = string_barrier(surface, end, settings)
                return Found("accepted", max(barrier, depth), depth, saddle=top, minimum=end)
    return Found("no transition")


def string_barrier(surface: EnergyFunction, end: np.ndarray, settings: SamplingSettings) -> tuple[float, np.ndarray]:
    """The highest energy on a string from the start to displacements `end` (n, 3), and the displacements there."""
    parts = np.linspace(0.0, 1.0, settings.images + 2)
    string = parts[:, None, None] * end
    for iteration in range(settings.iterations + 1):
        found = [surface(image) for image in string[1:-1]]
        if iteration == settings.iterations:
            break
        for k, (_, forces) in enumerate(found, 1):
            tangent = string[k + 1] - string[k - 1]
            tangent = tangent / max(float(np.linalg.norm(tangent)), TINY)
            step = (forces - np.vdot(forces, tangent) * tangent) / settings.stiffness
            string[k] += step * min(1.0, settings.longest / max(largest(step), TINY))
        # evenly along its length
        lengths = np.concatenate([[0.0], np.cumsum([np.linalg.norm(b - a) for a, b in pairwise(string)])])
        flat = string.reshape(len(string), -1)
        at = np.searchsorted(lengths, parts[1:-1] * lengths[-1]).clip(1, len(parts) - 1)
        between = (parts[1:-1] * lengths[-1] - lengths[at - 1]) / np.maximum(lengths[at] - lengths[at - 1], TINY)
        string[1:-1] = (flat[at - 1] + between[:, None] * (flat[at] - flat[at - 1])).reshape(string[1:-1].shape)
    energies = [energy for energy, _ in found]
    top = int(np.argmax(energies))
    return energies[top], string[1 + top]
