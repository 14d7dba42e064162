// SPDX-License-Identifier: BSD-3-Clause
// The search for the neighbours of one atom, local to each kernels.cpp.
#pragma once

#include "simd/neighbour_query.h"
#include "simd/node_lanes.inl"

namespace vitrify {

namespace {

// Calls `keep(at, k, dx, dy, dz, square, mask)` for groups of sorted nodes from k on. The mask has a bit for each node
// that is closer than the limit and not the centre, and `at` counts such nodes of the groups before. Returns their
// number.
template <typename Keep> VITRIFY_INLINE int visit(const NeighbourQuery &s, double limit_square, const Keep &keep)
{
  using G = NodeLanes;
  const double *xs = s.axes[0], *ys = s.axes[1], *zs = s.axes[2];
  const auto x = G::all(xs[s.place]), y = G::all(ys[s.place]), z = G::all(zs[s.place]), limit = G::all(limit_square);
  int n = 0;
  for (const CellRange *range = s.ranges; range < s.ranges + s.n_ranges; ++range)
    for (int k = range->first; k < range->last; k += G::COUNT) {
      const auto dx = G::reals(xs + k) - x, dy = G::reals(ys + k) - y, dz = G::reals(zs + k) - z;
      const auto square = dx * dx + dy * dy + dz * dz;
      const auto own = static_cast<unsigned>(s.place - k);
      const unsigned self = own < static_cast<unsigned>(G::COUNT) ? 1u << own : 0u;
      const unsigned mask = first_bits(range->last - k) & G::less(square, limit) & ~self;
      keep(n, k, dx, dy, dz, square, mask);
      n += __builtin_popcount(mask);
    }
  return n;
}

template <typename T> int find_neighbours(const NeighbourQuery &s, double limit, const FoundNeighbours<T> &found)
{
  using G = NodeLanes;
  return visit(s, limit, [&](int at, int k, auto dx, auto dy, auto dz, auto, unsigned mask) {
    G::append(found.vectors[0] + at, dx, mask);
    G::append(found.vectors[1] + at, dy, mask);
    G::append(found.vectors[2] + at, dz, mask);
    G::append(found.ids + at, G::ids(s.ids + k), mask);
  });
}

}    // namespace

}    // namespace vitrify
