// SPDX-License-Identifier: BSD-3-Clause
// Sums of moments over edges and their gradients, local to kernels.cpp.
#pragma once

#include "amshortcut/moment_kernels.h"
#include "simd/math.inl"
#include "simd/spline_edges.inl"
#include "simd/vectors.inl"

namespace vitrify {

namespace {

/// N channels.
template <typename T, int N> struct Channels {
  typedef T Type __attribute__((vector_size(N * sizeof(T))));

  static VITRIFY_INLINE Type load(const T *from)
  {
    Type values;
    __builtin_memcpy(&values, from, sizeof(values));
    return values;
  }
  static VITRIFY_INLINE void store(T *to, const Type &values) { __builtin_memcpy(to, &values, sizeof(values)); }
  static VITRIFY_INLINE void add(T *to, const Type &values) { store(to, load(to) + values); }

  // The splines of edge e, from the first of its rows.
  static VITRIFY_INLINE Type filter(const SplineEdges<T> &edges, int e, const T *row, std::ptrdiff_t stride)
  {
    return load(row) * edges.weights[0][e] + load(row + stride) * edges.weights[1][e] +
           load(row + 2 * stride) * edges.weights[2][e] + load(row + 3 * stride) * edges.weights[3][e];
  }
};

template <typename T, int N, bool VECTORS>
VITRIFY_INLINE void sum_channels(const MomentSums<T> &m, const SplineEdges<T> &edges, int c)
{
  using G = Channels<T, N>;
  using V = typename G::Type;
  const std::ptrdiff_t width = m.width, stride = VECTORS ? 2 * width : width;
  V moments[HARMONICS], carried[CARRIED];
  for (int k = 0; k < HARMONICS; ++k) moments[k] = G::load(m.moments + k * width + c);
  if (VECTORS)
    for (int k = 0; k < CARRIED; ++k) carried[k] = G::load(m.carried + k * width + c);
  for (int e = 0; e < edges.n; ++e) {
    const T *row = m.table + edges.rows[e] * stride + c;
    const V radial = G::filter(edges, e, row, stride) * G::load(m.s + edges.nodes[e] * width + c);
    for (int k = 0; k < HARMONICS; ++k) moments[k] += radial * edges.harmonics[k][e];
    if (!VECTORS) continue;
    const V filter = G::filter(edges, e, row + width, stride);
    const T *v = m.v + 3 * edges.nodes[e] * width + c;
    for (int a = 0; a < 3; ++a) {
      const V moved = filter * G::load(v + a * width);
      carried[0] += moved * edges.harmonics[1 + a][e];
      carried[1 + a] += moved;
    }
  }
  for (int k = 0; k < HARMONICS; ++k) G::store(m.moments + k * width + c, moments[k]);
  if (VECTORS)
    for (int k = 0; k < CARRIED; ++k) G::store(m.carried + k * width + c, carried[k]);
}

template <typename T, int N, bool VECTORS>
VITRIFY_INLINE void channels_backward(const MomentGradients<T> &m, const SplineEdges<T> &edges, int c)
{
  using G = Channels<T, N>;
  using V = typename G::Type;
  const std::ptrdiff_t width = m.width, stride = VECTORS ? 2 * width : width;
  V by_moments[HARMONICS], by_carried[CARRIED];
  for (int k = 0; k < HARMONICS; ++k) by_moments[k] = G::load(m.by_moments + k * width + c);
  if (VECTORS)
    for (int k = 0; k < CARRIED; ++k) by_carried[k] = G::load(m.by_carried + k * width + c);
  for (int e = 0; e < edges.n; ++e) {
    const std::ptrdiff_t at = edges.nodes[e] * width + c;
    const T *row = m.table + edges.rows[e] * stride + c;
    T *by_row = m.by_table + edges.rows[e] * stride + c;
    V by_radial = by_moments[0] * edges.harmonics[0][e];
    for (int k = 1; k < HARMONICS; ++k) by_radial += by_moments[k] * edges.harmonics[k][e];
    G::add(m.by_s + at, G::filter(edges, e, row, stride) * by_radial);
    const V by_filter = G::load(m.s + at) * by_radial;
    for (int t = 0; t < 4; ++t) G::add(by_row + t * stride, by_filter * edges.weights[t][e]);
    if (!VECTORS) continue;
    const V filter = G::filter(edges, e, row + width, stride);
    V by_second = V{};
    for (int a = 0; a < 3; ++a) {
      const V by_moved = by_carried[1 + a] + by_carried[0] * edges.harmonics[1 + a][e];
      const std::ptrdiff_t place = 3 * edges.nodes[e] * width + a * width + c;
      by_second += G::load(m.v + place) * by_moved;
      G::add(m.by_v + place, filter * by_moved);
    }
    for (int t = 0; t < 4; ++t) G::add(by_row + width + t * stride, by_second * edges.weights[t][e]);
  }
}

// Whole vectors first, then the rest of a width that is a multiple of 8.
template <typename T, bool VECTORS> void sum_moments_of(const MomentSums<T> &m, const SplineEdges<T> &edges)
{
  constexpr int length = Vector<T>::LENGTH;
  int c = 0;
  for (; c + length <= m.width; c += length) sum_channels<T, length, VECTORS>(m, edges, c);
  if constexpr (length > LANES)
    for (; c < m.width; c += LANES) sum_channels<T, LANES, VECTORS>(m, edges, c);
}

template <typename T, bool VECTORS> void moments_backward_of(const MomentGradients<T> &m, const SplineEdges<T> &edges)
{
  constexpr int length = Vector<T>::LENGTH;
  int c = 0;
  for (; c + length <= m.width; c += length) channels_backward<T, length, VECTORS>(m, edges, c);
  if constexpr (length > LANES)
    for (; c < m.width; c += LANES) channels_backward<T, LANES, VECTORS>(m, edges, c);
}

template <typename T> void sum_moments(const MomentSums<T> &m, const SplineEdges<T> &edges)
{ m.v ? sum_moments_of<T, true>(m, edges) : sum_moments_of<T, false>(m, edges); }

template <typename T> void moments_backward(const MomentGradients<T> &m, const SplineEdges<T> &edges)
{ m.v ? moments_backward_of<T, true>(m, edges) : moments_backward_of<T, false>(m, edges); }

template <typename T>
void measure_edges(const SplineGrid<T> &grid, const FoundNeighbours<T> &found, int first, int n, SplineEdges<T> *edges)
{
  const T *xs = found.vectors[0] + first, *ys = found.vectors[1] + first, *zs = found.vectors[2] + first;
  alignas(64) T distances[BLOCK];
  edges->n = n;
  for (int e = 0; e < n; ++e) edges->nodes[e] = found.ids[first + e];
  auto &h = edges->harmonics;
  for (int e = 0; e < n; ++e) {
    const T distance = root(xs[e] * xs[e] + ys[e] * ys[e] + zs[e] * zs[e]);
    const T inverse = T(1) / (distance > T(1e-6) ? distance : T(1e-6));
    const T x = xs[e] * inverse, y = ys[e] * inverse, z = zs[e] * inverse;
    distances[e] = distance;
    h[0][e] = T(1);
    h[1][e] = x;
    h[2][e] = y;
    h[3][e] = z;
    h[4][e] = x * y;
    h[5][e] = y * z;
    h[6][e] = (T(3) * z * z - T(1)) * T(0.28867513459481287);    // 1 / sqrt(12)
    h[7][e] = x * z;
    h[8][e] = T(0.5) * (x * x - y * y);
  }
  place_edges(grid, distances, edges);
}

}    // namespace

}    // namespace vitrify
