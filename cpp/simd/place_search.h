// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The search for the pairs of an atom among places in whole numbers. Plain data: see simd/instruction_set.h.

namespace vitrify {

/// Nodes that may be neighbours of an atom: their places along the three cell vectors, and their numbers. All arrays
/// have room for CANDIDATES_PADDING more.
struct Candidates {
  const int *axes[3];
  const int *ids;
  int count;
};
constexpr int CANDIDATES_PADDING = 16;

struct PlaceSearch {
  float frame[3][3];    // the vectors of one unit along each cell vector
  bool oblique;         // more than the diagonal of the frame is not zero
  float cutoff_square, inner_square;
  int first, last;    // owned atoms whose sums may be added to, if not all of them
  bool all;           // they are all owned atoms
  const int *types;
  int n_species;
  // To work in: the nodes around one atom, and one more vector.
  int *found;
  float *squares;
  double *least;    // (species, species): smallest squared distances so far, of a centre and a neighbour
};

/// Finds the pairs of an atom among candidates that are owned and others that are not, sorts them as PairRange says,
/// and returns their number. Arrays have room for one more vector.
using SearchPlaces = int (*)(const PlaceSearch &, const int *place, int type, const Candidates &owned,
                             const Candidates &ghosts, int *neighbours, float *distances, int *ends);

}    // namespace vitrify
