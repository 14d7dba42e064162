"""Angles between the neighbours of an atom."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.core.pairs import find_pairs


def angle_counts(
    positions: np.ndarray, cell: np.ndarray, types: np.ndarray, n_types: int, cutoff: float, bins: int
) -> dict[tuple[int, int, int], np.ndarray]:
    """Angles j-i-k of all pairs of neighbours within `cutoff` of an atom, counted in `bins` from 0 to 180 degrees.

    positions (N,3), wrapped or not; cell (3,3) rows; types (N,) from 0. Returns (bins,) counts by the types
    (centre, a, b), a <= b; each pair of neighbours is counted once.
    """
    if not cutoff > 0 or bins < 1:
        raise VitrifyError(f"cutoff {cutoff:g} and bins {bins} must be positive")
    types = np.asarray(types)
    i, j, vectors = find_pairs(positions, cell, cutoff, "ijD", full_list=True, sorted=True)
    i, j = i.astype(int), j.astype(int)
    names = [(c, a, b) for c in range(n_types) for a, b in combinations_with_replacement(range(n_types), 2)]
    if not len(i):
        return {name: np.zeros(bins) for name in names}
    first, second = _pairs_of_neighbours(i, len(types))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = np.clip(np.einsum("ij,ij->i", units[first], units[second]), -1.0, 1.0)
    place = np.minimum((np.degrees(np.arccos(cosines)) * (bins / 180.0)).astype(int), bins - 1)
    low, high = np.sort([types[j[first]], types[j[second]]], axis=0)
    flat = ((types[i[first]] * n_types + low) * n_types + high) * bins + place
    counts = np.bincount(flat, minlength=n_types**3 * bins).reshape(n_types, n_types, n_types, bins)
    return {name: counts[name].astype(float) for name in names}


def _pairs_of_neighbours(centres: np.ndarray, n_atoms: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of both entries of each pair of entries that have the same centre; `centres` (E,) sorted."""
    counts = np.bincount(centres, minlength=n_atoms)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    entries = np.arange(len(centres))
    later = starts[centres] + counts[centres] - 1 - entries  # entries of the same centre that follow
    first = np.repeat(entries, later)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    return first, first + 1 + offset
