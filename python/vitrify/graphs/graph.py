"""The graph that every model reads: typed nodes and directed edges with their vectors."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Graph(NamedTuple):
    """Atoms, and the pairs of atoms within the model's cutoff; the fields are arguments of the models, in their order.

    types: (M,) int64, index into the model's species; owned atoms first, then ghosts.
    velocities: (M, 3) in the model's units.
    edge_index: (2, E) int64; row 0 the centre i, row 1 the neighbour j.
    edge_vectors: (E, 3) r_j - r_i of the periodic image of j, in the model's unit of length.
    """

    types: Tensor
    velocities: Tensor
    edge_index: Tensor
    edge_vectors: Tensor


class StructureGraph(NamedTuple):
    """A graph without velocities, for models of structures at rest; fields as in `Graph`.

    types: (M,) int64. edge_index: (2, E) int64. edge_vectors: (E, 3) r_j - r_i, in the model's unit of length.
    """

    types: Tensor
    edge_index: Tensor
    edge_vectors: Tensor


def sum_over_centres(values: Tensor, centres: Tensor, n_owned: int) -> Tensor:
    """Sums `values` (E, K) over the edges of each centre: (n_owned, K)."""
    return values.new_zeros([n_owned, values.shape[1]]).index_add(0, centres, values)
