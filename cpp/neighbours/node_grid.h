// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "neighbours/configuration.h"
#include "simd/neighbour_query.h"
#include "simd/sizes.h"

namespace vitrify {

/// All nodes of a configuration sorted into cells of half a cutoff: the pairs of an atom are among the nodes of the
/// cells around its own. Made anew for each prediction, because over a long stride atoms move as far as the skin of a
/// list that would be worth keeping.
class NodeGrid : public Workspace {
public:
  void build(const Configuration &configuration, double cutoff);
  /// Writes the ranges of sorted nodes that may be neighbours of an atom at `position`; returns their number, at most
  /// MAX_RANGES.
  int ranges(const double *position, CellRange *to) const { return ranges(position, cutoff_, to); }
  /// The same for neighbours closer than `reach`, which may be less than the cutoff.
  int ranges(const double *position, double reach, CellRange *to) const;
  /// The same for one of the nodes: completes all of the query but its ids and types, and returns how many nodes there
  /// are in the ranges.
  std::size_t query(int place, double reach, CellRange *ranges, NeighbourQuery &query) const;
  /// The sorted nodes.
  const int *ids() const { return ids_.data(); }
  const double *axis(int d) const { return axes_[d].data(); }

private:
  int coordinate(double value, int d) const;

  double cutoff_ = 0.0;
  double low_[3] = {}, width_[3] = {}, inverse_[3] = {};
  int size_[3] = {};
  Array<int> starts_{*this};    // of the cells; the last direction runs fastest
  Array<int> cells_{*this};     // cell of each node
  Array<int> ids_{*this};       // the nodes in the order of the cells, ascending in each
  Array<double> axes_[3]{*this, *this, *this};
};

}    // namespace vitrify
