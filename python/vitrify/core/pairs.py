"""The search of pairs of atoms, which all of vitrify's Python uses: every image within a cutoff, of any cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from vesin import NeighborList

from vitrify.core.validation import check_cell, check_cutoff

_EMPTY = {
    "i": np.zeros(0, np.int64), "j": np.zeros(0, np.int64), "P": np.zeros((0, 2), np.int64),
    "d": np.zeros(0), "D": np.zeros((0, 3)), "S": np.zeros((0, 3), np.int64),
}  # fmt: skip


def find_pairs(
    positions: ArrayLike,
    cell: ArrayLike | None,
    cutoff: float,
    quantities: str,
    full_list: bool = False,
    sorted: bool = False,
) -> tuple[Any, ...]:
    """Arrays of the pairs within `cutoff`, one for each letter of `quantities`, as vesin's `NeighborList.compute`.

    Args:
        positions: (N, 3), wrapped or not. cell: (3, 3) rows, periodic in all three directions, or None without images.
        cutoff: in the unit of the positions.
        quantities: i, j: the two atoms; P: both (pairs, 2); d: the distance; D: its vector from i to j; S: the shift.
        full_list: each pair twice, from both of its atoms. sorted: by i.

    Raises:
        VitrifyError: a cell without volume, a cutoff that is no length, or a cell that is so much smaller than the
            cutoff that memory would not hold the pairs.
    """
    points = np.ascontiguousarray(positions, dtype=np.float64)
    box = np.zeros((3, 3)) if cell is None else check_cell(cell)
    if len(points) == 0:
        return tuple(_EMPTY[letter] for letter in quantities)
    check_cutoff(None if cell is None else box, len(points), cutoff)
    finder = NeighborList(cutoff=float(cutoff), full_list=full_list, sorted=sorted)
    found: tuple[Any, ...] = finder.compute(points=points, box=box, periodic=cell is not None, quantities=quantities)
    return found
