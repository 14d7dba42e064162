"""The guard of `fix ogn` (cpp/rules/guard.h) for a LAMMPS without the plugin: refuses strides far outside the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError
from vitrify.core.units import get_units
from vitrify.engines.native import _core
from vitrify.hosts.lammps.library import Array
from vitrify.ogn.metadata import OGNMetadata
from vitrify.ogn.step import kinetic_energy

REMEDY = "start from a state like those that the model was trained on, or go on with guard no"


class Refusal(VitrifyError):
    """The reason why a stride is refused."""


class Guard:
    """Refuses strides of a model by raising `Refusal`, whose message is the reason.

    The caller adds the step and the remedy.
    """

    def __init__(self, model: OGNMetadata) -> None:
        validity = model.validity
        self.units, self._least = get_units(model.units), validity.min_distance
        self._rules = _core.Guard(
            species=list(model.species),
            min_distance=list(validity.min_distance or ()),
            max_displacement=validity.max_displacement or 0.0,
            highest_temperature=validity.temperature[1],
        )

    def check_start(self, masses: Array, velocities: Array) -> None:
        """Refuses a temperature in the frame of the centre of mass that is far above the data's.

        masses: (N,). velocities: (N, 3). Both are in the model's units.
        """
        centre = masses @ velocities / masses.sum()
        kinetic = kinetic_energy(masses, velocities - centre, self.units)
        temperature = 2.0 * kinetic / (max(3.0, 3.0 * len(masses) - 3.0) * self.units.boltz)
        if reason := self._rules.refuse_temperature(temperature):
            raise Refusal(reason)

    def check_distances(
        self, positions: Array, cell: Array, types: NDArray[Any], ids: NDArray[Any], found: Any
    ) -> None:
        """Refuses pairs that are much closer than in the data.

        positions: (N, 3). cell: (3, 3) rows. types: (N,) from 0. ids: (N,). found: smallest distance of each pair of
        species a >= b, at a (a + 1) / 2 + b; None: it is measured here.
        """
        if self._least is None or (found is not None and not self._rules.refuse_distances(list(found))):
            return
        reach = _core.CLOSEST_FACTOR * max(self._least)
        pairs, distances, species_pairs = _pairs_within(positions, cell, types, reach)
        closest = np.full(len(self._least), np.inf)
        np.minimum.at(closest, species_pairs, distances)
        refusal = self._rules.refuse_distances(closest.tolist())
        if not refusal:
            return
        among = species_pairs == refusal.first * (refusal.first + 1) // 2 + refusal.second
        one, other = sorted(ids[pairs[np.argmin(np.where(among, distances, np.inf))]])
        raise Refusal(self._rules.describe(refusal, int(one), int(other)))

    def check_moves(self, dr: Array, drift: Array, ids: NDArray[Any]) -> None:
        """Refuses a stride (N, 3) that carries an atom much further than in the data, less the common drift (3,)."""
        if refusal := self._rules.refuse_displacements(dr, drift):
            raise Refusal(self._rules.describe(refusal, int(ids[refusal.atom])))


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
    from vitrify.core.pairs import find_pairs

    i, j, distances = find_pairs(positions, cell, reach, "ijd")
    pairs = np.stack([i, j], axis=1).astype(int)
    low, high = np.sort(types[pairs], axis=1).T
    return pairs, np.asarray(distances), high * (high + 1) // 2 + low
