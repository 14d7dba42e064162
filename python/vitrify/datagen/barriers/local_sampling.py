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
from vitrify.datagen.barriers.artn import EnergyFunction, SearchResult
from vitrify.datagen.barriers.lanczos import TINY
from vitrify.datagen.barriers.lbfgs import largest, relax


@dataclass(frozen=True)
class SamplingSettings:
    """Parameters of a search; these defaults are for metal units (A, ps, eV, K), `for_units` gives those of others."""

    temperature: float = 3000.0  # K, of the MD
    timestep: float = 0.002  # ps
    steps: int = 500  # MD steps of a search, at most
    every: int = 100  # MD steps between two quenches
    mobile_radius: float = 7.0  # A from the chosen atom: all atoms within it move in the MD
    images: int = 7  # of the string, without its two ends
    iterations: int = 20  # of the string
    # As in `vitrify.datagen.barriers.artn.ARTnSettings`:
    minimum_tolerance: float = 0.01  # eV/A, largest force at a minimum
    longest: float = 0.2  # A, longest step of a quench
    most_relaxations: int = 400  # force evaluations of a quench, at most
    stiffness: float = 8.0  # eV/A^2: a first step downhill is the force over it
    home: float = 0.1  # A: atoms nearer than this to the start are back there

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
) -> SearchResult:
    """One search of atoms at `distances` (n,) from the chosen one, with masses (n,).

    The outcome is "accepted", or "no transition" where every quench led back.
    """
    near = (distances < settings.mobile_radius)[:, None]
    sigma = units.thermal_velocity(masses, settings.temperature)[:, None]
    # Twice the thermal energy: half of it becomes potential energy.
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
                return SearchResult("accepted", max(barrier, depth), depth, saddle=top, minimum=end)
    return SearchResult("no transition")


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
        # Images are spread evenly along the string again.
        lengths = np.concatenate([[0.0], np.cumsum([np.linalg.norm(b - a) for a, b in pairwise(string)])])
        flat = string.reshape(len(string), -1)
        at = np.searchsorted(lengths, parts[1:-1] * lengths[-1]).clip(1, len(parts) - 1)
        between = (parts[1:-1] * lengths[-1] - lengths[at - 1]) / np.maximum(lengths[at] - lengths[at - 1], TINY)
        string[1:-1] = (flat[at - 1] + between[:, None] * (flat[at] - flat[at - 1])).reshape(string[1:-1].shape)
    energies = [energy for energy, _ in found]
    top = int(np.argmax(energies))
    return energies[top], string[1 + top]
