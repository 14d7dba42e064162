// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "neighbours/configuration.h"
#include "neighbours/node_grid.h"
#include "neighbours/place_grid.h"
#include "simd/pair_search.h"
#include "simd/place_search.h"
#include "simd/sizes.h"

#include <vector>

namespace vitrify {

/// The pairs of a contiguous chunk of owned atoms within the cutoff, sorted as PairRange says. A pair of two atoms of
/// one chunk stands once; a pair with an atom of another chunk stands in both, so that no two threads add to one atom.
template <typename T> class PairList : public Workspace {
public:
  /// Finds the pairs of atoms first ... last - 1 in the grid. `inner` is the cutoff of the inner pairs, and `squares`
  /// (species, species) becomes the smallest squared distance of a centre and a neighbour.
  void build(SearchPairs<T> search_pairs, const Configuration &c, const NodeGrid &grid, std::int64_t first,
             std::int64_t last, double cutoff, double inner, std::vector<double> &squares);

  /// The same for atoms in the order of a grid of places, of the types (n_nodes), in single precision. Counts
  /// neighbours if any atom may have more than `many`.
  void build(SearchPlaces search_places, const PlaceGrid &grid, const int *types, std::int64_t n_owned,
             std::int64_t first, std::int64_t last, double cutoff, double inner, int many,
             std::vector<double> &squares);

  /// Adds the pairs of other chunks' lists whose second atom is in this one. Call it when all are built.
  void adopt(const std::vector<PairList> &lists);

  std::int64_t first() const { return first_; }
  std::int64_t last() const { return last_; }
  /// The number of pairs, of which those with atoms of other chunks or with ghosts stand in two lists.
  std::int64_t count() const
  {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < last_ - first_; ++i) sum += ranges_[static_cast<std::size_t>(i)].ends[3];
    return sum;
  }
  /// Neighbours of an atom of this chunk at most, once all lists are built and adopted; 0 if nobody counted, because
  /// there cannot be `many`.
  int most_neighbours() const;
  /// Ranges of atoms first ... last - 1, neighbours and distances; a kernel wants ranges from atom 0 on.
  const PairRange *ranges() const { return ranges_.data() - first_; }
  const int *neighbours() const { return neighbours_.data(); }
  const T *distances() const { return distances_.data(); }
  /// The same for the pairs that `adopt` added.
  const PairRange *adopted_ranges() const { return adopted_.empty() ? nullptr : adopted_ranges_.data() - first_; }
  const int *adopted_neighbours() const { return adopted_neighbours_.data(); }
  const T *adopted_distances() const { return adopted_distances_.data(); }
  std::size_t bytes() const
  {
    return Workspace::bytes() + owned_.bytes() + ghosts_.bytes() +
           sizeof(Foreign) * (foreign_.capacity() + adopted_.capacity());
  }

private:
  struct Foreign {
    int centre, neighbour;    // the centre is in another chunk
    T distance;
    bool inner;
  };

  void begin(std::int64_t first, std::int64_t last, std::vector<double> &squares);
  // Nodes that there are after the last pair, because kernels read whole vectors.
  void end(std::size_t used);
  // Room for the pairs of one more atom with so many candidates, after the pairs that there are.
  void reserve(std::size_t used, std::size_t candidates);
  void count_neighbours(std::int64_t i, const PairRange &range);
  void note_foreign(std::int64_t n_owned, std::int64_t i, const PairRange &range);

  std::int64_t first_ = 0, last_ = 0;
  Array<PairRange> ranges_{*this}, adopted_ranges_{*this};
  Array<int> neighbours_{*this}, adopted_neighbours_{*this};
  Array<T> distances_{*this}, adopted_distances_{*this};
  std::vector<Foreign> foreign_, adopted_;
  Array<int> counts_{*this};    // (n_atoms) neighbours of an atom
  bool counted_ = false;
  Array<int> found_{*this};    // of one atom
  Array<double> found_squares_{*this};
  Array<float> found_places_squares_{*this};
  PlaceGrid::Around owned_, ghosts_;    // of a group of cells
};

}    // namespace vitrify
