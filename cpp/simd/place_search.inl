// SPDX-License-Identifier: BSD-3-Clause
// The search for pairs among places in whole numbers, local to each kernels.cpp.
#pragma once

#include "simd/place_lanes.inl"
#include "simd/place_search.h"

namespace vitrify {

namespace {

// Candidates that are closer than the cutoff and the squares of their distances, from n on; returns where they end.
template <bool OBLIQUE>
VITRIFY_INLINE int within_places(const PlaceSearch &s, const int *place, const Candidates &candidates, int n)
{
  using P = PlaceLanes;
  const auto x = P::all(place[0]), y = P::all(place[1]), z = P::all(place[2]);
  const auto limit = P::all(s.cutoff_square);
  P::Reals f[3][3];
  for (int d = 0; d < 3; ++d)
    for (int k = 0; k < 3; ++k) f[d][k] = P::all(s.frame[d][k]);
  const int *xs = candidates.axes[0], *ys = candidates.axes[1], *zs = candidates.axes[2], *ids = candidates.ids;
  const int count = candidates.count;
  int *found = s.found;
  float *squares = s.squares;
  for (int k = 0; k < count; k += P::COUNT) {
    const auto a = P::difference(P::wholes(xs + k), x), b = P::difference(P::wholes(ys + k), y),
               c = P::difference(P::wholes(zs + k), z);
    const auto dx = OBLIQUE ? a * f[0][0] + b * f[1][0] + c * f[2][0] : a * f[0][0];
    const auto dy = OBLIQUE ? a * f[0][1] + b * f[1][1] + c * f[2][1] : b * f[1][1];
    const auto dz = OBLIQUE ? a * f[0][2] + b * f[1][2] + c * f[2][2] : c * f[2][2];
    const auto square = dx * dx + dy * dy + dz * dz;
    const unsigned mask = first_places(count - k) & P::less(square, limit);
    P::append(found + n, P::wholes(ids + k), mask);
    P::append(squares + n, square, mask);
    n += __builtin_popcount(mask);
  }
  return n;
}

/// Which of the nodes that were found: all, or those that a pair adds to or does not add to.
enum class Chosen { all, both, one };

// Appends found nodes first ... last - 1 that are near or far to a list from `at` on; returns where it ends.
template <Chosen CHOSEN>
VITRIFY_INLINE int append_part(const PlaceSearch &s, int first, int last, bool near, int *neighbours, float *distances,
                               int at)
{
  using P = PlaceLanes;
  const auto inner = P::all(s.inner_square);
  const unsigned flip = near ? 0u : ~0u;
  for (int k = first; k < last; k += P::COUNT) {
    const auto id = P::wholes(s.found + k);
    const auto square = P::reals(s.squares + k);
    unsigned mask = first_places(last - k) & (P::less(square, inner) ^ flip);
    if constexpr (CHOSEN != Chosen::all) {
      const unsigned both = P::greater(id, P::all(s.first - 1)) & ~P::greater(id, P::all(s.last - 1));
      mask &= CHOSEN == Chosen::both ? both : ~both;
    }
    P::append(neighbours + at, id, mask);
    P::append(distances + at, P::square_root(square), mask);
    at += __builtin_popcount(mask);
  }
  return at;
}

// Smallest squared distances of each species. They hardly ever change, so that most atoms are done with a comparison.
inline void note_least(const PlaceSearch &s, int type, int n)
{
  using P = PlaceLanes;
  double *least = s.least + type * s.n_species;
  double most = least[0];
  for (int b = 1; b < s.n_species; ++b) most = least[b] > most ? least[b] : most;
  const auto limit = P::all(static_cast<float>(most));
  for (int k = 0; k < n; k += P::COUNT) {
    const unsigned mask = first_places(n - k) & P::less(P::reals(s.squares + k), limit);
    for (unsigned rest = mask; rest; rest &= rest - 1) {
      const int at = k + __builtin_ctz(rest);
      double &one = least[s.types[s.found[at]]];
      if (s.squares[at] < one) one = s.squares[at];
    }
  }
}

inline int search_places(const PlaceSearch &s, const int *place, int type, const Candidates &owned,
                         const Candidates &ghosts, int *neighbours, float *distances, int *ends)
{
  const int own = s.oblique ? within_places<true>(s, place, owned, 0) : within_places<false>(s, place, owned, 0);
  int n = own;
  if (ghosts.count)
    n = s.oblique ? within_places<true>(s, place, ghosts, own) : within_places<false>(s, place, ghosts, own);
  int at = 0;
  for (int far = 0; far < 2; ++far) {
    if (far && s.inner_square >= s.cutoff_square) {
      ends[2] = ends[3] = at;
      break;
    }
    at = s.all ? append_part<Chosen::all>(s, 0, own, !far, neighbours, distances, at)
               : append_part<Chosen::both>(s, 0, own, !far, neighbours, distances, at);
    ends[2 * far] = at;
    if (!s.all) at = append_part<Chosen::one>(s, 0, own, !far, neighbours, distances, at);
    if (n > own) at = append_part<Chosen::all>(s, own, n, !far, neighbours, distances, at);
    ends[2 * far + 1] = at;
  }
  note_least(s, type, n);
  return n;
}

}    // namespace

}    // namespace vitrify
