// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "simd/neighbour_query.h"

#include <cstdint>

// The search for the pairs of an atom. Plain data: see simd/instruction_set.h.

namespace vitrify {

/// The pairs of one atom: neighbours[first ... first + ends[3] - 1]. Up to ends[0] those closer than the inner cutoff
/// at the start of the stride whose two atoms both gain, up to ends[1] those of which only this atom gains; then the
/// same two sorts for pairs further apart.
struct PairRange {
  std::int64_t first = 0;
  int ends[4] = {0, 0, 0, 0};
};

/// A search for the pairs of the atoms first ... last - 1; what is not among them gains in another list, or elsewhere.
struct PairSearch {
  const double *positions;    // (n_nodes, 3)
  const int *types;           // (n_nodes)
  int n_species;
  const int *grid_ids;    // sorted nodes of a grid, and their coordinates
  const double *grid_axes[3];
  int first, last;
  double cutoff_square, inner_square;
  // Room for the nodes around one atom and one more vector.
  int *found;
  double *squares;
  double *least;    // (species, species): smallest squared distances so far, of a centre and a neighbour
};

/// Finds the pairs of atom i among the nodes of `n_ranges` ranges of a grid, sorts them as PairRange says, and returns
/// their number. Arrays have room for one more vector.
template <typename T>
using SearchPairs = int (*)(const PairSearch &, std::int64_t i, const CellRange *ranges, int n_ranges, int *neighbours,
                            T *distances, int *ends);

}    // namespace vitrify
