// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/buffer.h"
#include "neighbours/configuration.h"
#include "simd/neighbour_query.h"
#include "simd/sizes.h"

namespace vitrify {

/// All nodes of a configuration sorted into cells of half a cutoff: the pairs of an atom are among the nodes of the
/// cells around its own. Made anew for each prediction, because over a long stride atoms move as far as the skin of a
/// list that would be worth keeping.
class NodeGrid {
public:
  void build(const Configuration &configuration, double cutoff);
  /// Writes the ranges of sorted nodes that may be neighbours of an atom at `position`; returns their number, at most
  /// MAX_RANGES.
  int ranges(const double *position, CellRange *to) const { return ranges(position, cutoff_, to); }
  /// The same for neighbours closer than `reach`, which may be less than the cutoff.
  int ranges(const double *position, double reach, CellRange *to) const;
  /// The same for one of the nodes. Completes all but the ids and types of its neighbour_query, and returns how many
  /// nodes there are in the ranges.
  std::size_t surround(int place, double reach, CellRange *ranges, NeighbourQuery &neighbour_query) const;
  /// The sorted nodes.
  const int *ids() const { return ids_.data(); }
  const double *axis(int d) const { return axes_[d].data(); }
  std::size_t bytes() const;

private:
  int coordinate(double value, int d) const;

  double cutoff_ = 0.0;
  double low_[3] = {}, width_[3] = {}, inverse_[3] = {};
  int size_[3] = {};
  Buffer<int> starts_;    // of the cells; the last direction ranges fastest
  Buffer<int> cells_;     // cell of each node
  Buffer<int> ids_;       // the nodes in the order of the cells, ascending in each
  Buffer<double> axes_[3];
};

}    // namespace vitrify
