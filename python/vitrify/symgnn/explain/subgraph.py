"""The k-hop subgraph of an atom: all of a structure that a network of k messages reads for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitrify.graphs.neighbours import neighbour_list


@dataclass(frozen=True)
class Edges:
    """All edges of a structure, sorted by centre: pairs (2, E), vectors (E, 3), offsets (N + 1,) of each centre."""

    pairs: np.ndarray
    vectors: np.ndarray
    offsets: np.ndarray

    def of(self, atoms: np.ndarray) -> np.ndarray:
        """Indices of the edges whose centre is one of `atoms`."""
        starts, counts = self.offsets[atoms], self.offsets[atoms + 1] - self.offsets[atoms]
        before = np.cumsum(counts) - counts
        return np.repeat(starts - before, counts) + np.arange(counts.sum())


@dataclass(frozen=True)
class Subgraph:
    """Atoms within some hops of a centre and the edges between them.

    atoms: (n,) indices in the structure, those of fewer hops first. hops, displacements: (n,), (n, 3) from the centre,
    along a path of fewest hops. pairs: (2, e) edges, as indices into `atoms`, of every atom but those of the last hop.
    vectors: (e, 3). bond: (e,) number of the bond of each edge; an edge and its reverse are one bond.
    first: (b,) an edge of each bond.
    """

    atoms: np.ndarray
    hops: np.ndarray
    displacements: np.ndarray
    pairs: np.ndarray
    vectors: np.ndarray
    bond: np.ndarray
    first: np.ndarray


def all_edges(positions: np.ndarray, cell: np.ndarray, cutoff: float) -> Edges:
    """The edges of a periodic structure, every image within the cutoff."""
    pairs, vectors = neighbour_list(positions, cell, cutoff)
    return Edges(pairs, vectors, np.searchsorted(pairs[0], np.arange(len(positions) + 1)))


def k_hop_subgraph(edges: Edges, centre: int, hops: int) -> Subgraph:
    """The atoms and edges that a network of `hops` messages reads for the prediction of `centre`."""
    n = len(edges.offsets) - 1
    hop = np.full(n, -1)
    displacements = np.zeros((n, 3))
    hop[centre] = 0
    frontier, inner = np.array([centre]), []
    for step in range(1, hops + 1):
        mine = edges.of(frontier)
        inner.append(mine)
        reached, where = np.unique(edges.pairs[1, mine], return_index=True)
        new = hop[reached] < 0
        frontier, through = reached[new], mine[where[new]]
        displacements[frontier] = displacements[edges.pairs[0, through]] + edges.vectors[through]
        hop[frontier] = step
    seen = np.flatnonzero(hop >= 0)
    atoms = seen[np.argsort(hop[seen], kind="stable")]
    local = np.full(n, -1)
    local[atoms] = np.arange(len(atoms))
    kept = np.sort(np.concatenate(inner))
    pairs, vectors = edges.pairs[:, kept], edges.vectors[kept]
    bond, first = _bonds(pairs, vectors)
    return Subgraph(atoms, hop[atoms], displacements[atoms], local[pairs], vectors, bond, first)


def _bonds(pairs: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bond of each edge (e,) and the first edge of each bond (b,): i to j and j to i of one image are one bond."""
    i, j = pairs
    # An atom and an image of itself: the sign of the first component that is not zero.
    x, y, z = vectors.T
    against = np.where(x != 0, x, np.where(y != 0, y, z)) < 0
    turned = (i > j) | ((i == j) & against)
    signed = np.where(turned[:, None], -vectors, vectors)
    keys = np.column_stack([np.minimum(i, j), np.maximum(i, j), np.rint(1e5 * signed).astype(np.int64)])
    _, first, bond = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return bond.reshape(-1), first
