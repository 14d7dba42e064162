"""Periodic neighbour lists: every image within the cutoff, for any cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrify.core.pairs import find_pairs
from vitrify.core.validation import check_vectors

if TYPE_CHECKING:
    import torch

    from vitrify.graphs.graph import Graph, StructureGraph


def neighbour_list(
    positions: ArrayLike, cell: ArrayLike, cutoff: float, pbc: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """All directed pairs of atoms closer than `cutoff`, over every periodic image, including an atom's own images.

    Args:
        positions: (N, 3), wrapped or not. cell: (3, 3) rows; may be smaller than the cutoff and triclinic.
        cutoff: in the unit of the positions. pbc: periodic in all three directions, or in none.

    Returns:
        edge_index (2, E): centres i and neighbours j, sorted by i; edge_vectors (E, 3): r_j - r_i of the image of j.

    Raises:
        VitrifyError: positions that are not finite, and what `find_pairs` refuses.
    """
    points = check_vectors("positions", positions)
    pairs, vectors = find_pairs(points, cell if pbc else None, cutoff, "PD", full_list=True, sorted=True)
    return np.ascontiguousarray(pairs.T, dtype=np.int64), vectors


def build_structure_graph(
    positions: ArrayLike, cell: ArrayLike, types: ArrayLike, cutoff: float, dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> StructureGraph:  # fmt: skip
    """The periodic graph of a structure at rest; vectors are computed in double precision and then cast.

    positions: (N, 3). cell: (3, 3) rows. types: (N,) from 0. cutoff: in the unit of the positions. dtype: of the
    vectors; by default torch.float32. Raises VitrifyError as `neighbour_list`.
    """
    import torch

    from vitrify.graphs.graph import StructureGraph

    edge_index, edge_vectors = neighbour_list(positions, cell, cutoff)
    real = torch.float32 if dtype is None else dtype
    return StructureGraph(
        types=torch.as_tensor(np.asarray(types, dtype=np.int64), device=device),
        edge_index=torch.as_tensor(edge_index, device=device),
        edge_vectors=torch.as_tensor(edge_vectors).to(device, real),
    )


def build_graph(
    positions: ArrayLike, velocities: ArrayLike, cell: ArrayLike, types: ArrayLike, cutoff: float,
    dtype: torch.dtype | None = None, device: str | torch.device = "cpu",
) -> Graph:  # fmt: skip
    """The periodic graph of a configuration with velocities (N, 3); other arguments as in `build_structure_graph`."""
    import torch

    from vitrify.graphs.graph import Graph

    types, edge_index, edge_vectors = build_structure_graph(positions, cell, types, cutoff, dtype, device)
    moving = torch.as_tensor(np.asarray(velocities, dtype=np.float64)).to(device, edge_vectors.dtype)
    return Graph(types, moving, edge_index, edge_vectors)
