// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cmath>

namespace vitrify {

using Vector3 = std::array<double, 3>;

inline Vector3 cross(const Vector3 &a, const Vector3 &b)
{ return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]}; }

inline double dot(const Vector3 &a, const Vector3 &b)
{ return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

/// Of a cell, vectors as rows; negative if they are left-handed.
inline double signed_volume(const std::array<Vector3, 3> &cell)
{ return dot(cell[0], cross(cell[1], cell[2])); }

/// The row d of the result times r is the fractional coordinate d; the cell must have a volume.
inline std::array<Vector3, 3> reciprocal_cell(const std::array<Vector3, 3> &cell)
{
  std::array<Vector3, 3> rows;
  for (int d = 0; d < 3; ++d) {
    rows[d] = cross(cell[(d + 1) % 3], cell[(d + 2) % 3]);
    for (double &component : rows[d]) component /= signed_volume(cell);
  }
  return rows;
}

/// The distance between the two faces of the cell that vector d joins.
inline double cell_height(const std::array<Vector3, 3> &cell, int d)
{
  const Vector3 normal = cross(cell[(d + 1) % 3], cell[(d + 2) % 3]);
  return std::fabs(signed_volume(cell)) / std::sqrt(dot(normal, normal));
}

}    // namespace vitrify
