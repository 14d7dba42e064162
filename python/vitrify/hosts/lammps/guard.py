"""Refuses strides far outside the training data, with the limits of the guard of `fix ogn`.

Training data are finite, so that longer runs correctly have closer pairs, larger displacements and higher temperatures
than the data. The factors below say how far these may lie outside the range of the data.
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
    """The reason why a stride is refused."""


class Guard:
    """Refuses strides of a model by raising `Refusal`, whose message is the reason.

    The caller adds the step and the remedy.
    """

    def __init__(self, model: OGNMetadata) -> None:
        self.model, self.units = model, get_units(model.units)

    def check_start(self, masses: Array, velocities: Array) -> None:
        """Refuses a temperature in the frame of the centre of mass that is far above the data's.

        masses: (N,). velocities: (N, 3). Both are in the model's units.
        """
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

        positions: (N, 3). cell: (3, 3) rows. types: (N,) from 0. ids: (N,). found: smallest distance of each pair of
        species a >= b, at a (a + 1) / 2 + b; None: it is measured here.
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
        """Refuses displacements dr (N, 3), less the common drift (3,), that are much larger than in the data.

        ids: (N,).
        """
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
    """Refuses `rows` of positions or velocities (N, 3) that are not finite. when: the end of the message. ids: (N,)."""
    # A sum costs less than a test of every number, and is not finite if one of them is not.
    if np.isfinite(sum(float(row.sum()) for row in rows)):
        return
    bad = ~np.logical_and.reduce([np.isfinite(row).all(1) for row in rows])
    if bad.any():
        raise Refusal(f"position or velocity of atom {ids[bad].min()} is not a number {when}")


def _pairs_within(
    positions: Array, cell: Array, types: NDArray[Any], reach: float
) -> tuple[NDArray[Any], Array, NDArray[Any]]:
    """Pairs (P, 2) of atoms closer than `reach`, their distances (P,), and the index (P,) of each pair of species."""
    from vesin import NeighborList

    finder = NeighborList(cutoff=reach, full_list=False)
    i, j, distances = finder.compute(points=positions, box=cell, periodic=True, quantities="ijd")
    pairs = np.stack([i, j], axis=1).astype(int)
    low, high = np.sort(types[pairs], axis=1).T
    return pairs, np.asarray(distances), high * (high + 1) // 2 + low
