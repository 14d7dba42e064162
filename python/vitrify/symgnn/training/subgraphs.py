"""Pieces of a structure as training samples: many small steps instead of a few large ones."""

from __future__ import annotations

import torch
from torch import Tensor

from vitrify.graphs.graph import StructureGraph


def k_hop_subgraph(graph: StructureGraph, centre: int, hops: int) -> tuple[StructureGraph, Tensor, Tensor]:
    """The atoms that a walk of at most `hops` edges from atom `centre` reaches, with the edges between them.

    Returns:
        The piece; its atoms' numbers in `graph`, (n,) in rising order; and True (n,) for the atoms at most `hops` - 1
        edges away, which have all their neighbours. Atoms further out have fewer than in the structure, so that a
        network of several layers sees a little less of the surroundings than it does there.
    """
    here, there = graph.edge_index
    inside = torch.zeros(len(graph.types), dtype=torch.bool)
    inside[centre] = True
    complete = inside
    for _ in range(hops):
        complete = inside
        inside = inside.clone()
        inside[there[complete[here]]] = True
    kept = inside[here] & inside[there]
    atoms = inside.nonzero().flatten()
    place = torch.full((len(graph.types),), -1).index_copy(0, atoms, torch.arange(len(atoms)))
    piece = StructureGraph(graph.types[atoms], place[graph.edge_index[:, kept]], graph.edge_vectors[kept])
    return piece, atoms, complete[atoms]
