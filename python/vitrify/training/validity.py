"""The range of the training data of a model, which goes into its file; hosts warn or stop outside of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vitrify.data.datasets import evenly_spread
from vitrify.data.samples import Sample
from vitrify.data.structures import LabelledStructure
from vitrify.data.trajectories import Trajectory
from vitrify.graphs.neighbours import neighbour_list

# How far outside the training data a model counts as valid: by as much as a finite cell fluctuates.
TEMPERATURE_MARGIN, DENSITY_MARGIN, COMPOSITION_MARGIN = 0.10, 0.02, 0.02

# Close pairs are searched up to this many mean spacings, which holds every first shell, and in at most so many atoms;
# with all frames, the smallest distance would change by a few percent.
REACH = 1.5
SAMPLED_ATOMS = 1_000_000


def validity(species: Sequence[str], trajectories: Sequence[Trajectory], frames: int) -> dict[str, Any]:
    """The range of trajectories, as `vitrify.modelfile.metadata.Validity` has it.

    The ranges of mean temperature, number density (1/length^3) and atomic fractions are widened by the margins above.
    Margins are relative; for fractions, which stay within 0 and 1, they are absolute. The smallest distance of each
    pair of species and the largest displacement over a stride of `frames` frames are not widened.
    """
    temperatures = [float(np.mean(t.temperature)) for t in trajectories]
    densities = [_density(t) for t in trajectories]
    fractions = np.array([np.bincount(t.types, minlength=len(species)) / len(t.types) for t in trajectories])
    return {
        "temperature": [
            min(temperatures) * (1 - TEMPERATURE_MARGIN),
            max(temperatures) * (1 + TEMPERATURE_MARGIN),
        ],
        **_ranges(species, densities, fractions),
        "min_distance": min_distance(len(species), trajectories).tolist(),
        "max_displacement": max_displacement(trajectories, frames),
    }


def structure_validity(
    species: Sequence[str], structures: Sequence[LabelledStructure | Sample], cutoff: float
) -> dict[str, Any]:
    """The range of structures at rest: as `validity`, without temperature and displacement."""
    fractions = np.array([np.bincount(s.types, minlength=len(species)) / len(s) for s in structures])
    smallest = np.full(len(species) * (len(species) + 1) // 2, float(cutoff))
    for structure in structures:
        reach = min(cutoff, REACH * structure.number_density ** (-1 / 3))
        (i, j), vectors = neighbour_list(structure.positions, structure.cell, reach)
        np.minimum.at(smallest, _pairs(structure.types[i], structure.types[j]), np.linalg.norm(vectors, axis=1))
    return _ranges(species, [s.number_density for s in structures], fractions) | {"min_distance": smallest.tolist()}


def _ranges(species: Sequence[str], densities: Sequence[float], fractions: np.ndarray) -> dict[str, Any]:
    """Ranges of densities and of fractions (structures, species), widened by the margins."""
    return {
        "number_density": [min(densities) * (1 - DENSITY_MARGIN), max(densities) * (1 + DENSITY_MARGIN)],
        "composition": {
            name: [max(0.0, low - COMPOSITION_MARGIN), min(1.0, high + COMPOSITION_MARGIN)]
            for name, low, high in zip(species, fractions.min(0).tolist(), fractions.max(0).tolist(), strict=True)
        },
    }


def _pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Index of the unordered pair of types, for types a and b of equal shape: an array of that shape."""
    high, low = np.maximum(a, b), np.minimum(a, b)
    index: np.ndarray = high * (high + 1) // 2 + low
    return index


def min_distance(n_species: int, trajectories: Sequence[Trajectory]) -> np.ndarray:
    """Smallest distance of each pair of species a >= b in the trajectories, at a (a + 1) / 2 + b.

    The search ends at `REACH` mean spacings; pairs that never come closer have this distance.
    """
    n_atoms = sum(t.positions.shape[0] * t.positions.shape[1] for t in trajectories)
    share = min(1.0, SAMPLED_ATOMS / n_atoms)
    reach = REACH * min(_density(t) for t in trajectories) ** (-1 / 3)
    smallest = np.full(n_species * (n_species + 1) // 2, reach)
    for trajectory in trajectories:
        count = max(1, round(share * len(trajectory.positions)))
        for frame in evenly_spread(len(trajectory.positions), count):
            (i, j), vectors = neighbour_list(trajectory.positions[frame], trajectory.cell, reach)
            lengths = np.linalg.norm(vectors, axis=1)
            np.minimum.at(smallest, _pairs(trajectory.types[i], trajectory.types[j]), lengths)
    return smallest


def max_displacement(trajectories: Sequence[Trajectory], frames: int) -> float:
    """The largest |r(t + stride) - r(t)| of an atom, in the unit of length, for a stride of `frames` frames."""
    pairs = [(t.positions[frames:], t.positions[:-frames]) for t in trajectories if len(t.positions) > frames]
    return max(float(np.linalg.norm(end - start, axis=2).max()) for end, start in pairs)


def _density(trajectory: Trajectory) -> float:
    return len(trajectory.types) / abs(float(np.linalg.det(trajectory.cell)))
