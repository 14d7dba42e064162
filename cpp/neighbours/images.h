// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/geometry.h"

#include <array>
#include <cstddef>

namespace vitrify {

/// More images of one atom than this are a mistake in the cell or in its units.
constexpr double MAX_IMAGES = 1e5;
/// More neighbours of one atom than this are one, too: a melt has 50 to 400 within the cutoff of a model, ten times as
/// many where it has collapsed, and 7,000 within 30 A, the longest range of a g(r).
constexpr double MAX_NEIGHBOURS = 2e4;

/// Atoms of an even density, in number for each volume, that are closer to a point than a distance.
double even_neighbours(double density, double distance);

/// Throws Error unless n atoms in a cell (vectors as rows), which repeats along some of its vectors, have as many
/// images and neighbours within the cutoff as memory holds. A cell of no or an infinite volume is refused, too.
void check_images(const std::array<Vector3, 3> &cell, const std::array<bool, 3> &periodic, std::size_t n,
                  double cutoff);

/// Throws Error unless all of n positions (n, 3) are numbers within a million cells of the origin, beyond which
/// precision ends; `reciprocal` has the vectors of reciprocal_cell().
void check_positions(const std::array<Vector3, 3> &reciprocal, std::size_t n, const double *positions);

}    // namespace vitrify
