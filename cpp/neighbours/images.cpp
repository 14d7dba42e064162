// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/images.h"

#include "base/error.h"
#include "base/text.h"

#include <cmath>
#include <limits>
#include <string>

namespace vitrify {

namespace {

// The nodes of a structure are counted by an int.
constexpr double MAX_NODES = std::numeric_limits<int>::max();
constexpr double MAX_TURNS = 1e6;    // how many cells away an atom may be

[[noreturn]] void refuse(std::size_t n, double found, const char *what, double cutoff)
{
  throw Error("each of the " + std::to_string(n) + " atoms has " + number(found, 3) + " " + what +
              " within the cutoff of " + number(cutoff, 3) + ": check the cell and its units, or use a larger cell");
}

}    // namespace

double even_neighbours(double density, double distance)
{
  constexpr double SPHERE = 4.18879020478639098;    // 4 pi / 3
  return SPHERE * density * distance * distance * distance;
}

void check_images(const std::array<Vector3, 3> &cell, const std::array<bool, 3> &periodic, std::size_t n, double cutoff)
{
  const double volume = std::fabs(signed_volume(cell));
  if (!(volume > 0.0 && std::isfinite(volume)))
    throw Error("the cell has no volume: give three independent cell vectors");
  // The fractional coordinate along a cell vector changes by at most the distance over the height of the cell.
  double images = 1.0;
  for (int d = 0; d < 3; ++d)
    if (periodic[static_cast<std::size_t>(d)]) images *= 1.0 + 2.0 * cutoff / cell_height(cell, d);
  const auto atoms = static_cast<double>(n);
  if (!(images < MAX_IMAGES && images * atoms < MAX_NODES)) refuse(n, images, "images", cutoff);
  if (!(periodic[0] && periodic[1] && periodic[2])) return;    // atoms may fill any part of the box
  const double neighbours = even_neighbours(atoms / volume, cutoff);
  if (!(neighbours < MAX_NEIGHBOURS)) refuse(n, neighbours, "neighbours", cutoff);
}

void check_positions(const std::array<Vector3, 3> &reciprocal, std::size_t n, const double *positions)
{
  for (std::size_t i = 0; i < n; ++i)
    for (const Vector3 &row : reciprocal) {
      const double turns = dot(row, {positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]});
      if (std::fabs(turns) <= MAX_TURNS) continue;    // which NaN is not
      throw Error("atom " + std::to_string(i) + " is a million cells or more away: check the positions and the cell, " +
                  "and their units");
    }
}

}    // namespace vitrify
