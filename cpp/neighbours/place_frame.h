// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "neighbours/configuration.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace vitrify {

/// Places of nodes as whole numbers of 32 bits. Their differences are exact, so that both atoms of a pair see the same
/// distance, wherever it is computed.
///
/// A place counts 2^32nd parts of a range along each cell vector and starts over at its end. The range is a power of
/// two times the cell vector, so that an image differs from its atom by whole numbers, and it is so much longer than
/// the cutoff that a difference of two neighbours cannot be mistaken.
class PlaceFrame {
public:
  /// Ranges are RANGE to 2 RANGE reaches across.
  static constexpr double RANGE = 16.0;
  /// What atoms may move along each cell vector, so that neighbours are less than half a range apart.
  static constexpr double MOST = 0.15 * 4294967296.0;

  /// Takes the cell of the configuration, or any where it has none.
  void set_cell(const Configuration &configuration, double cutoff);
  /// Chooses ranges. reach: how far apart nodes may be whose places are subtracted. periodic: differences shall be
  /// those to the closest image, so that no range is longer than the cell.
  void set_range(double reach, bool periodic);

  /// The place along each cell vector of `position`, displaced by `change`. An atom that moves further than MOST,
  /// two cutoffs or more, is put there: it has left all of its neighbours behind.
  void place(const double *position, const double *change, std::int32_t *to) const
  {
    for (int d = 0; d < 3; ++d) {
      const double start = across(d, position), moved = across(d, change);
      to[d] = whole(start + (moved < MOST ? (moved > -MOST ? moved : -MOST) : MOST));
    }
  }
  /// The vector of one unit along cell vector d.
  const Vector3 &unit(int d) const { return units_[d]; }
  /// Coordinate d of a position, in cell vectors.
  double fraction(int d, const double *position) const
  {
    const Vector3 &row = reciprocal_[d];
    return row[0] * position[0] + row[1] * position[1] + row[2] * position[2];
  }
  double height(int d) const { return cell_height(cell_, d); }
  double least_height() const { return std::min({height(0), height(1), height(2)}); }
  /// Cell vectors are not those of a box along the axes.
  bool oblique() const { return oblique_; }

private:
  double across(int d, const double *vector) const
  {
    const Vector3 &row = inverse_[d];
    return oblique_ ? row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2] : row[d] * vector[d];
  }
  // Rounded, and without the turns: the low bits of a number that is so large that its last one counts ones.
  static std::int32_t whole(double value)
  {
    const double shifted = value + 6755399441055744.0;    // 1.5 * 2^52
    std::int64_t bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    return static_cast<std::int32_t>(bits);
  }

  std::array<Vector3, 3> cell_{}, reciprocal_{}, units_{}, inverse_{};
  bool oblique_ = false;
};

}    // namespace vitrify
