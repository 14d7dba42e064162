"""Distance of a structure to the nearest of a set, independent of cells, orientations and orders of atoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from scipy.spatial.distance import cdist

from vitrify.analysis.ensembles import volume
from vitrify.core.pairs import find_pairs

NEIGHBOURS = 16
_OTHER_SPECIES = 100.0  # A: how far apart environments of different centres are


def environments(atoms: Atoms, species: Sequence[str], count: int = NEIGHBOURS) -> np.ndarray:
    """The environment of each atom: the distances (A) of its nearest neighbours, sorted, `count` over all species.

    (N, F): as many for each species, at least four; then the species of the atom, as a coordinate that keeps kinds
    apart. Moves of the atoms by d change each distance by less than 2 d.
    """
    each = max(4, count // len(species))
    types = np.array([list(species).index(symbol) for symbol in atoms.symbols])
    density = np.bincount(types, minlength=len(species)) / volume(atoms)
    cutoff = (3 * (each + 4) / (4 * np.pi * density[density > 0].min())) ** (1 / 3)
    found = np.full((len(atoms), len(species), each), cutoff)
    i, j, distance = find_pairs(atoms.positions, atoms.cell[:], cutoff, "ijd", full_list=True)
    group = i.astype(int) * len(species) + types[j.astype(int)]
    order = np.lexsort([distance, group])
    group, distance = group[order], distance[order]
    starts = np.searchsorted(group, np.arange(found.shape[0] * found.shape[1]))
    rank = np.arange(len(group)) - starts[group]
    near = rank < each
    found.reshape(-1, each)[group[near], rank[near]] = distance[near]
    return np.concatenate([found.reshape(len(atoms), -1), _OTHER_SPECIES * types[:, None]], axis=1)


def novelty(
    samples: Sequence[Atoms], training: Sequence[Atoms], species: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The distance (S,) of each sample to the nearest training structure, in A, and which one that is (S,).

    The distance of two structures is the root mean square, over the atoms of the first, of the Euclidean distance
    between an atom's environment and the most similar one in the second; 0 for a copy. Compare it with that of
    held-out samples of the same ensemble. All pairs of structures are compared: 256 atoms with 1,000 times 256 take
    half a second.
    """
    known = [environments(atoms, species) for atoms in training]
    distances, nearest = np.empty(len(samples)), np.empty(len(samples), int)
    for number, atoms in enumerate(samples):
        mine = environments(atoms, species)
        gaps = [float(cdist(mine, other, "sqeuclidean").min(1).mean()) for other in known]
        nearest[number] = int(np.argmin(gaps))
        distances[number] = np.sqrt(gaps[nearest[number]])
    return distances, nearest
