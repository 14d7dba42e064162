// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/buffer.h"
#include "neighbours/configuration.h"
#include "neighbours/node_grid.h"

#include <cstdint>
#include <vector>

namespace vitrify {

/// The owned atoms of a grid, those of a species together, and among them in the order of the grid.
class SpeciesOrder {
public:
  void build(const Configuration &configuration, const NodeGrid &grid, int n_species);
  /// Places in the grid (n_owned).
  const int *places() const { return places_.data(); }
  /// The ends of the species among them.
  const std::vector<std::int64_t> &ends() const { return ends_; }
  std::size_t bytes() const { return places_.bytes(); }

private:
  Buffer<int> places_;
  std::vector<std::int64_t> ends_;
};

}    // namespace vitrify
