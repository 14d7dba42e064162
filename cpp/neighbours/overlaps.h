// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "neighbours/periodic.h"

#include <array>
#include <cstddef>
#include <vector>

namespace vitrify {

/// A periodic structure: cell vectors as rows, positions (n, 3), types (n).
struct Structure {
  std::array<Vector3, 3> cell{};
  std::vector<double> positions;
  std::vector<int> types;
};

/// Moves all atoms into the cell.
void wrap(Structure &structure);

/// The smallest distance of each `pair_of_species` of `n_species`, looked for up to `reach`; infinity where there is
/// none. Every periodic image counts, in any cell.
std::vector<double> closest_distances(Structure &structure, std::size_t n_species, double reach);

/// Moves pairs that are closer than the `min_distance` of their species apart along their lines, both alike and all at
/// once, until there are none or `max_sweeps` are done; returns the number of pairs that were too close at the start.
/// Wraps the structure. An atom's own image cannot be moved away, and stays.
std::size_t push_apart(Structure &structure, const std::vector<double> &min_distance, int max_sweeps = 200);

/// The number of pairs closer than `share` times the `min_distance` of their species.
std::size_t count_overlaps(Structure &structure, const std::vector<double> &min_distance, double share);

}    // namespace vitrify
