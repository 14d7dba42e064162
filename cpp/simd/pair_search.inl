// SPDX-License-Identifier: BSD-3-Clause
// The search for pairs in a grid, local to each kernels.cpp.
#pragma once

#include "simd/node_lanes.inl"
#include "simd/pair_search.h"

namespace vitrify {

namespace {

// The nodes of the ranges that are closer than the cutoff, and the squares of their distances. A pair of owned atoms
// belongs to the first of them, and the ghosts come after all owned atoms.
inline int within(const PairSearch &s, std::int64_t i, const CellRange *ranges, int n_ranges)
{
  using G = NodeLanes;
  const double *own = s.positions + 3 * i;
  const auto x = G::all(own[0]), y = G::all(own[1]), z = G::all(own[2]), limit = G::all(s.cutoff_square);
  const double *xs = s.grid_axes[0], *ys = s.grid_axes[1], *zs = s.grid_axes[2];
  const int *ids = s.grid_ids;
  int *found = s.found;
  double *squares = s.squares;
  const int self = static_cast<int>(i);
  int n = 0;
  for (const CellRange *range = ranges; range < ranges + n_ranges; ++range)
    for (int k = range->first; k < range->last; k += G::COUNT) {
      const auto j = G::ids(ids + k);
      const auto dx = G::reals(xs + k) - x, dy = G::reals(ys + k) - y, dz = G::reals(zs + k) - z;
      const auto square = dx * dx + dy * dy + dz * dz;
      const unsigned mask = first_bits(range->last - k) & G::greater(j, self) & G::less(square, limit);
      G::append(squares + n, square, mask);
      n += G::append(found + n, j, mask);
    }
  return n;
}

// Sorts the n nodes that `within` found as PairRange says.
template <typename T> inline void sort(const PairSearch &s, int n, int *neighbours, T *distances, int *ends)
{
  using G = NodeLanes;
  const auto inner = G::all(s.inner_square);
  int at = 0;
  for (int part = 0; part < 4; ++part) {
    for (int k = 0; k < n && (part < 2 || at < n); k += G::COUNT) {
      const auto j = G::ids(s.found + k);
      const auto square = G::reals(s.squares + k);
      const unsigned near = G::less(square, inner), both = G::greater(j, s.first - 1) & ~G::greater(j, s.last - 1);
      const unsigned mask = first_bits(n - k) & (part < 2 ? near : ~near) & (part % 2 == 0 ? both : ~both);
      G::append(distances + at, G::square_root(square), mask);
      at += G::append(neighbours + at, j, mask);
    }
    ends[part] = at;
  }
}

template <typename T>
int search(const PairSearch &s, std::int64_t i, const CellRange *ranges, int n_ranges, int *neighbours, T *distances,
           int *ends)
{
  const int n = within(s, i, ranges, n_ranges);
  sort(s, n, neighbours, distances, ends);
  // Closest pairs of each species, which hardly ever change.
  double *least = s.least + s.types[i] * s.n_species;
  for (int k = 0; k < n; ++k) {
    double &one = least[s.types[s.found[k]]];
    if (s.squares[k] < one) one = s.squares[k];
  }
  return n;
}

}    // namespace

}    // namespace vitrify
