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
  /// What atoms may move along each cell vector, in ranges, so that neighbours which move apart are not mistaken.
  static constexpr double MOST = 0.15;

  /// Takes the lattice of the configuration's cell, or any where it has none, and its shortest vectors as cell vectors.
  void set_cell(const Configuration &configuration, double cutoff);
  /// Chooses ranges. reach: how far apart nodes may be whose places are subtracted, the cutoff at least. periodic:
  /// differences shall be those to the closest image, so that no range is longer than the cell; places are rounded as
  /// they are otherwise, so that a rank with ghosts and one without see the same distances. Throws Error if atoms are
  /// spread so far that places would be coarser than single precision.
  void set_range(double reach, double cutoff, bool periodic);

  /// The place along each cell vector of `position`, displaced by `change`. False if it moves further than MOST, or by
  /// what is no number: then it stands there, where it has left all of its neighbours behind.
  bool place(const double *position, const double *change, std::int32_t *to) const
  {
    bool is_held = true;
    for (int d = 0; d < 3; ++d) {
      const double moved = across(d, change), most = most_[d];
      const double held = moved < most ? (moved > -most ? moved : -most) : most;
      is_held = is_held & (held == moved);
      to[d] = static_cast<std::int32_t>(whole(across(d, position) + held) << shifts_[d]);
    }
    return is_held;
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
  static std::uint32_t whole(double value)
  {
    const double shifted = value + 6755399441055744.0;    // 1.5 * 2^52
    std::uint64_t bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    return static_cast<std::uint32_t>(bits);
  }

  std::array<Vector3, 3> cell_{}, reciprocal_{}, units_{};
  std::array<Vector3, 3> inverse_{};    // to multiples of units by 2^shifts, in which most_ counts
  double most_[3] = {};
  int shifts_[3] = {};
  bool oblique_ = false;
};

}    // namespace vitrify
