// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "simd/neighbour_query.h"

#include <cstdint>

// The search for the pairs of an atom. Plain data: see simd/instruction_set.h.

namespace vitrify {

/// The pairs of one atom: neighbours[first ... first + ends[3] - 1], in four parts. The first two parts are closer than
/// the inner cutoff at the start of the stride, the other two are not. Pairs of the first and third part add to the
/// sums of both atoms, pairs of the second and fourth part to the sums of this atom alone. ends[k] is where part k
/// ends.
struct PairRange {
  std::int64_t first = 0;
  int ends[4] = {0, 0, 0, 0};
};

/// A search for the pairs of the atoms first ... last - 1. The sums of a neighbour that is not among them are added to
/// by another list or another rank.
struct PairSearch {
  const double *positions;    // (n_nodes, 3)
  const int *types;           // (n_nodes)
  int n_species;
  const int *grid_ids;    // sorted nodes of a grid, and their coordinates
  const double *grid_axes[3];
  int first, last;
  double cutoff_square, inner_square;
  // To work in: the nodes around one atom, and one more vector.
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
