"""The repulsion of pairs that are closer than any in the training data, which the networks do not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vitrify.core.compiled import _core
from vitrify.engines.predictions import EnergyPrediction, stress_of


def with_core(
    found: EnergyPrediction, closest: Sequence[float] | None, positions: Any, cell: Any, types: Any
) -> EnergyPrediction:
    """A prediction of a network with the repulsive core that all engines add (`cpp/engines/repulsive_core.h`).

    closest: smallest distance of each pair of species in the training data, a >= b at a (a + 1) / 2 + b, or None.
    positions: (N, 3). cell: (3, 3) rows. types: (N,) from 0. Where no pair is closer, the prediction itself.
    """
    if not closest:
        return found
    energies, forces, virial, virials = _core.repulsive_core(closest, positions, cell, types)
    if not energies.any():
        return found
    return replace(
        found,
        energies=found.energies + energies,
        forces=found.forces + forces,
        stress=found.stress + stress_of(virial, cell),
        stresses=None if found.stresses is None else found.stresses + stress_of(virials, cell),
    )
