"""Subgraphs of a structure as training samples, for many small steps instead of a few large ones."""

from __future__ import annotations

import torch
from torch import Tensor

from vitrify.graphs.graph import StructureGraph


def k_hop_subgraph(graph: StructureGraph, centre: int, hops: int) -> tuple[StructureGraph, Tensor, Tensor]:
    """The subgraph of the atoms within `hops` edges of atom `centre`, with all edges between them.

    Returns:
        The subgraph; the numbers (n,) of its atoms in `graph`, in rising order; and True (n,) for atoms within
        `hops` - 1 edges, which have all their neighbours. The other atoms lack neighbours, so that a network of several
        layers has a slightly smaller range in the subgraph than in the structure.
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
    subgraph = StructureGraph(graph.types[atoms], place[graph.edge_index[:, kept]], graph.edge_vectors[kept])
    return subgraph, atoms, complete[atoms]
