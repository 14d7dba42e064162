// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/cell_sizes.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

double volume_of(const double (&spans)[3], double cutoff)
{
  double volume = 1.0;
  for (const double span : spans) volume *= std::max(span, cutoff);
  return volume;
}

double choose_cell_sizes(const double (&spans)[3], double cutoff, double narrowest, double most, int (&sizes)[3])
{
  constexpr double WIDER = 1.5, MANY = 1e9;
  double width = std::max(narrowest, std::cbrt(volume_of(spans, cutoff) / most));
  while (true) {
    double cells = 1.0;
    for (int d = 0; d < 3; ++d) {
      sizes[d] = static_cast<int>(std::clamp(spans[d] / width, 1.0, MANY));
      cells *= sizes[d];
    }
    if (cells <= most) return width;
    width *= WIDER;
  }
}

}    // namespace vitrify
