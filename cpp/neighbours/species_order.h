// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "neighbours/configuration.h"
#include "neighbours/node_grid.h"

#include <cstdint>
#include <vector>

namespace vitrify {

/// The owned atoms sorted by species, and within a species in the order of a grid.
class SpeciesOrder : public Workspace {
public:
  void build(const Configuration &configuration, const NodeGrid &grid, int n_species);
  /// (n_owned) where in the grid the atoms stand.
  const int *in_grid() const { return places_.data(); }
  /// (species) where in `in_grid` each species ends.
  const std::vector<std::int64_t> &ends() const { return ends_; }

private:
  Array<int> places_{*this};
  std::vector<std::int64_t> ends_;
};

}    // namespace vitrify
