"""Splits by glass, so that no structure of a test has a near copy among the training structures."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations

import numpy as np
from scipy import fft

from vitrify.core.errors import VitrifyError
from vitrify.data.structures import LabelledStructure

# Two structures are one glass if their densities correlate by at least this. Independent glasses of 3,000 to 8,000
# atoms reach 0.04, independent packings of 100 atoms 0.21; a copy strained by 4% has 0.67.
SAME_GLASS = 0.45
_SMEAR, _GRID = 0.3, 0.3  # width of an atom and spacing of the grid, in mean spacings of atoms


def leave_one_group_out(groups: Sequence[Hashable]) -> list[tuple[list[int], list[int]]]:
    """One fold for each group, in the order of their first occurrence: training indices, and held-out indices.

    Raises VitrifyError if there are fewer than two groups.
    """
    names = list(dict.fromkeys(groups))
    if len(names) < 2:
        raise VitrifyError(f"{len(groups)} structures form {len(names)} group: leaving one out needs at least two")
    return [
        ([i for i, g in enumerate(groups) if g != name], [i for i, g in enumerate(groups) if g == name])
        for name in names
    ]


def duplicate_groups(structures: Sequence[LabelledStructure], threshold: float = SAME_GLASS) -> list[int]:
    """The group of each structure, from 0 in order of occurrence; near copies of one glass are in one group.

    Two structures of equal composition are near copies if their densities, in fractions of their cells, correlate by at
    least `threshold` at the best shift. So near copies may differ in the order of atoms, by wrapping, a common shift,
    vibrations, and a homogeneous strain. A rotated cell or a supercell is not recognised.
    """
    parent = list(range(len(structures)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for members in _by_composition(structures):
        modes, shape = _density_modes([structures[i] for i in members])
        for a, b in combinations(range(len(members)), 2):
            if _overlap(modes[a], modes[b], shape).max() >= threshold:
                first, second = sorted((root(members[a]), root(members[b])))
                parent[second] = first
    numbers = {r: n for n, r in enumerate(dict.fromkeys(root(i) for i in range(len(structures))))}
    return [numbers[root(i)] for i in range(len(structures))]


def _by_composition(structures: Sequence[LabelledStructure]) -> list[list[int]]:
    """Indices of structures, in groups that have equal numbers of atoms of each type."""
    found: dict[tuple[int, ...], list[int]] = {}
    n_types = max((int(s.types.max()) + 1 for s in structures), default=0)
    for i, structure in enumerate(structures):
        counts = tuple(np.bincount(structure.types, minlength=n_types).tolist())
        found.setdefault(counts, []).append(i)
    return list(found.values())


def _density_modes(structures: Sequence[LabelledStructure]) -> tuple[list[np.ndarray], tuple[int, int, int]]:
    """Fourier modes (types, n1, n2, n3 / 2 + 1) of each structure's smeared densities, of unit norm, and the grid.

    One grid serves all structures. It is in fractions of the cell, which a homogeneous strain does not change.
    """
    edges = np.mean([np.linalg.norm(s.cell, axis=1) for s in structures], axis=0)
    spacing = np.mean([s.number_density ** (-1 / 3) for s in structures])
    n1, n2, n3 = (fft.next_fast_len(int(np.ceil(edge / (_GRID * spacing))), real=True) for edge in edges)
    shape = (n1, n2, n3)
    waves = [fft.fftfreq(n1, edges[0] / n1), fft.fftfreq(n2, edges[1] / n2), fft.rfftfreq(n3, edges[2] / n3)]
    k = [2 * np.pi * wave for wave in waves]
    k_squared = k[0][:, None, None] ** 2 + k[1][None, :, None] ** 2 + k[2][None, None] ** 2
    smear = np.exp(-0.5 * k_squared * (_SMEAR * spacing) ** 2).astype(np.float32)
    smear[0, 0, 0] = 0.0  # the mean density, which is equal for all structures
    found = []
    for structure in structures:
        cells = np.floor(np.linalg.solve(structure.cell.T, structure.positions.T).T * shape).astype(int) % shape
        grid = np.zeros((int(structure.types.max()) + 1, *shape), dtype=np.float32)
        np.add.at(grid, (structure.types, *cells.T), 1.0)
        modes = fft.rfftn(grid, axes=(1, 2, 3)) * smear
        found.append(modes / np.sqrt(_overlap(modes, modes, shape)[0, 0, 0]))
    return found, shape


def _overlap(a: np.ndarray, b: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Overlap (n1, n2, n3) of two densities at every shift of the grid, summed over types."""
    overlap: np.ndarray = fft.irfftn((a.conj() * b).sum(axis=0), shape)
    return overlap
