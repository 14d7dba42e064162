// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "simd/sizes.h"

#include <cstdint>

// Edges from an atom to its neighbours with spline weights of their lengths. Plain data: see simd/instruction_set.h.

namespace vitrify {

/// Harmonics up to rank two: 1, x, y, z, xy, yz, zz, xz, xx-yy.
constexpr int HARMONICS = 9;

/// Uniform cubic B-splines of the distance: CubicSplines in python/vitrify/models/nn.py.
template <typename T> struct SplineGrid {
  T start, inverse_spacing;
  int size;
};

/// At most BLOCK edges of one atom, with all that is the same for every channel.
template <typename T> struct SplineEdges {
  int n;
  std::int64_t nodes[BLOCK];
  int rows[BLOCK];                    // of each edge, the first of the four splines that are not zero there
  alignas(64) T weights[4][BLOCK];    // and six times the values of the four
  alignas(64) T harmonics[HARMONICS][BLOCK];
};

}    // namespace vitrify
