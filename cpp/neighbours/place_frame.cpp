// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/place_frame.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

namespace {

constexpr int MOST_RANGES = 16;    // powers of two that a cell may be longer than a range: `whole` counts to 2^51

}    // namespace

void PlaceFrame::set_cell(const Configuration &configuration, double cutoff)
{
  cell_ = {Vector3{cutoff, 0, 0}, Vector3{0, cutoff, 0}, Vector3{0, 0, cutoff}};
  if (configuration.cell) cell_ = *configuration.cell;
  reciprocal_ = reciprocal_cell(cell_);
}

void PlaceFrame::set_range(double reach, bool periodic)
{
  oblique_ = false;
  for (int d = 0; d < 3; ++d) {
    int power = std::max(static_cast<int>(std::ceil(std::log2(RANGE * reach / height(d)))), -MOST_RANGES);
    if (periodic) power = std::min(power, 0);
    for (int k = 0; k < 3; ++k) {
      units_[d][k] = std::ldexp(cell_[d][k], power - 32);
      inverse_[d][k] = std::ldexp(reciprocal_[d][k], 32 - power);
      oblique_ = oblique_ || (k != d && cell_[d][k] != 0.0);
    }
  }
}

}    // namespace vitrify
