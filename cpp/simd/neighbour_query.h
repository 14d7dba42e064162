// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Where kernels look for the neighbours of an atom. Plain data: see simd/instruction_set.h.

namespace vitrify {

/// Nodes first ... last - 1 of a NodeGrid, which are sorted by cells.
struct CellRange {
  int first, last;
};

/// A search around one node of a NodeGrid.
struct NeighbourQuery {
  const int *ids;           // (nodes) the number that is found for a neighbour, in the order of the grid
  const double *axes[3];    // (nodes) coordinates x, y and z, in the order of the grid
  const int *types;         // species, by the numbers in `ids`
  int place;                // of the node itself, in the order of the grid
  const CellRange *ranges;
  int n_ranges;
};

/// Neighbours that a search has found: their numbers, as NeighbourQuery::ids says, and x, y and z of r_j - r_i. All
/// arrays have room for one more vector.
template <typename T> struct FoundNeighbours {
  int *ids;
  T *vectors[3];
};

}    // namespace vitrify
