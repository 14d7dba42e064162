// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "neighbours/configuration.h"
#include "neighbours/node_grid.h"

#include <cstddef>
#include <vector>

namespace vitrify {

/// The half list of `Configuration`, for hosts that have no neighbour lists. O(N); holds exactly the pairs within the
/// cutoff.
class HalfList {
public:
  /// Finds the pairs of a configuration and points it to them; they stay until the next `build`.
  void build(Configuration &configuration, double cutoff);
  std::size_t bytes() const;

private:
  NodeGrid grid_;
  std::vector<int> counts_, neighbours_;
  std::vector<const int *> lists_;
};

}    // namespace vitrify
