// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>

namespace vitrify {

/// The volume of a box with edges (or heights) `spans`, each of which counts as the cutoff at least.
inline double volume_of(const double (&spans)[3], double cutoff)
{ return std::max(spans[0], cutoff) * std::max(spans[1], cutoff) * std::max(spans[2], cutoff); }

/// Cuts a box with edges (or heights) `spans` into cells for the search of neighbours: `sizes` becomes how many stand
/// along each edge, at least one. Cells are `narrowest` wide or wider: so wide that there are no more than `most`,
/// because most of many cells would be empty where a system is sparse or long.
inline void choose_cell_sizes(const double (&spans)[3], double cutoff, double narrowest, double most, int (&sizes)[3])
{
  constexpr double WIDER = 1.5, MANY = 1e9;
  double width = std::max(narrowest, std::cbrt(volume_of(spans, cutoff) / most)), cells = most + 1.0;
  for (; cells > most; width *= WIDER) {
    cells = 1.0;
    for (int d = 0; d < 3; ++d) {
      sizes[d] = static_cast<int>(std::clamp(spans[d] / width, 1.0, MANY));
      cells *= sizes[d];
    }
  }
}

}    // namespace vitrify
