// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/place_frame.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

namespace {

constexpr int BITS = 32;
constexpr double MOST_RANGES = 16.0;    // powers of two that a cell may be longer than a range: `whole` counts to 2^51
constexpr double COARSEST = 1.0 / 1048576.0;    // unit in cutoffs

// Makes the vectors of a cell as short as adding others to them can make them: they span the same images. Along those
// of a skewed cell, differences of places would be large numbers that nearly cancel.
void shorten(std::array<Vector3, 3> &cell)
{
  constexpr int ROUNDS = 100;    // a few do; rounding must not keep it going
  bool is_shorter = true;
  for (int round = 0; round < ROUNDS && is_shorter; ++round) {
    is_shorter = false;
    for (int d = 0; d < 3; ++d)
      for (int other = 0; other < 3; ++other) {
        if (other == d) continue;
        const double times = std::nearbyint(dot(cell[d], cell[other]) / dot(cell[other], cell[other]));
        if (times == 0.0) continue;
        for (int k = 0; k < 3; ++k) cell[d][k] -= times * cell[other][k];
        is_shorter = true;
      }
  }
}

}    // namespace

void PlaceFrame::set_cell(const Configuration &configuration, double cutoff)
{
  cell_ = {Vector3{cutoff, 0, 0}, Vector3{0, cutoff, 0}, Vector3{0, 0, cutoff}};
  if (configuration.cell) cell_ = *configuration.cell;
  shorten(cell_);
  reciprocal_ = reciprocal_cell(cell_);
}

void PlaceFrame::set_range(double reach, double cutoff, bool periodic)
{
  oblique_ = false;
  for (int d = 0; d < 3; ++d) {
    const double exponent = std::max(std::ceil(std::log2(RANGE * reach / height(d))), -MOST_RANGES);
    if (!(height(d) * std::exp2(exponent - BITS) <= COARSEST * cutoff))
      throw Error("atoms are spread so far over a cell of the heights " + number(height(0), 3) + ", " +
                  number(height(1), 3) + " and " + number(height(2), 3) + " that places in single precision are too " +
                  "coarse for a cutoff of " + number(cutoff, 3) +
                  ": use a shorter cell, or export the model in float64");
    const int power = static_cast<int>(exponent);
    shifts_[d] = periodic ? std::max(power, 0) : 0;
    most_[d] = std::ldexp(MOST, BITS - shifts_[d]);
    for (int k = 0; k < 3; ++k) {
      units_[d][k] = std::ldexp(cell_[d][k], power - shifts_[d] - BITS);
      inverse_[d][k] = std::ldexp(reciprocal_[d][k], BITS - power);
      oblique_ = oblique_ || (k != d && cell_[d][k] != 0.0);
    }
  }
}

}    // namespace vitrify
