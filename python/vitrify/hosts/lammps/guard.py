"""Strides that a model cannot be trusted with, by the limits of the guard of `fix ogn` (cpp/lammps/fix_ogn_guard.cpp).

Training data are finite, so that longer runs meet closer pairs, faster atoms and hotter moments without being wrong;
the factors say how much of that is let pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError
from vitrify.core.units import get_units
from vitrify.hosts.lammps.library import Array
from vitrify.ogn.metadata import OGNMetadata
from vitrify.ogn.step import kinetic_energy

CLOSEST = 0.9
FARTHEST = 1.5
HOTTEST = 1.5
REMEDY = "start from a state like those that the model was trained on, or go on with guard no"


class Refusal(VitrifyError):
    """Why a stride is not to be used."""


class Guard:
    """Refuses single strides of a model; every message is a reason, to which the caller adds where and what to do."""

    def __init__(self, model: OGNMetadata) -> None:
        self.model, self.units = model, get_units(model.units)

    def check_start(self, masses: Array, velocities: Array) -> None:
        """Refuses a temperature (about the centre of mass) far above the data's; masses (N,), velocities (N, 3)."""
        centre = masses @ velocities / masses.sum()
        kinetic = kinetic_energy(masses, velocities - centre, self.units)
        temperature = 2.0 * kinetic / (max(3.0, 3.0 * len(masses) - 3.0) * self.units.boltz)
        highest = self.model.validity.temperature[1]
        if temperature > HOTTEST * highest:
            raise Refusal(
                f"temperature {temperature:.6g} is above {HOTTEST} times the {highest:.6g} that the model is valid up "
                "to"
            )

    def check_distances(
        self, positions: Array, cell: Array, types: NDArray[Any], ids: NDArray[Any], found: Any
    ) -> None:
        """Refuses pairs that are much closer than in the data.

        found: the smallest distance of each pair of species a >= b, at a (a + 1) / 2 + b, or None, to measure it here.
        """
        least = self.model.validity.min_distance
        if least is None:
            return
        limits = CLOSEST * np.array(least)
        if found is not None and (np.asarray(found) >= limits).all():
            return
        pairs, distances, kinds = _pairs_within(positions, cell, types, float(limits.max()))
        with np.errstate(divide="ignore"):
            ratios = limits[kinds] / distances
        if not (ratios > 1.0).any():
            return
        worst = int(np.argmax(ratios))
        a, b = sorted(types[pairs[worst]], reverse=True)
        one, other = sorted(ids[pairs[worst]])
        species = self.model.species
        raise Refusal(
            f"atoms {one} and {other} ({species[b]} and {species[a]}) are {distances[worst]:.6g} apart, below "
            f"{CLOSEST} times the {least[kinds[worst]]:.6g} of the training data"
        )

    def check_moves(self, dr: Array, drift: Array, ids: NDArray[Any]) -> None:
        """Refuses a stride (N, 3) that carries an atom much further than in the data, less the common drift (3,)."""
        largest = self.model.validity.max_displacement
        if largest is None:
            return
        lengths = np.sqrt(np.square(dr - drift).sum(1))
        farthest = int(np.argmax(lengths))
        if lengths[farthest] > FARTHEST * largest:
            raise Refusal(
                f"the prediction moves atom {ids[farthest]} by {lengths[farthest]:.6g}, above {FARTHEST} times the "
                f"{largest:.6g} of the training data"
            )


def check_finite(ids: NDArray[Any], when: str, *rows: Array) -> None:
    """Refuses positions or velocities (N, 3) that are no numbers."""
    # A sum costs less than a test of every number, and is no number if one of them is none.
    if np.isfinite(sum(float(row.sum()) for row in rows)):
        return
    bad = ~np.logical_and.reduce([np.isfinite(row).all(1) for row in rows])
    if bad.any():
        raise Refusal(f"position or velocity of atom {ids[bad].min()} is not a number {when}")


def _pairs_within(
    positions: Array, cell: Array, types: NDArray[Any], reach: float
) -> tuple[NDArray[Any], Array, NDArray[Any]]:
    """Pairs (P, 2) closer than `reach`, their distances (P,), and the indices (P,) of their pairs of species."""
    from vesin import NeighborList

    finder = NeighborList(cutoff=reach, full_list=False)
    i, j, distances = finder.compute(points=positions, box=cell, periodic=True, quantities="ijd")
    pairs = np.stack([i, j], axis=1).astype(int)
    low, high = np.sort(types[pairs], axis=1).T
    return pairs, np.asarray(distances), high * (high + 1) // 2 + low
