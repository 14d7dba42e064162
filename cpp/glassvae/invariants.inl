// SPDX-License-Identifier: BSD-3-Clause
// Invariants of an atom's neighbours and the networks of the atoms, local to kernels.cpp.
#pragma once

#include "glassvae/glassvae_kernels.h"
#include "simd/math.inl"
#include "simd/neighbour_visit.inl"
#include "simd/product.inl"
#include "simd/spline_edges.inl"

namespace vitrify {

namespace {

/// Harmonics of one direction stand in a row of whole vectors, with zeros behind them.
template <typename T> struct HarmonicRow {
  static constexpr int LENGTH = Vector<T>::LENGTH, PARTS = (HARMONICS + LENGTH - 1) / LENGTH, SIZE = PARTS * LENGTH;
  using V = typename Vector<T>::Type;
  V part[PARTS];

  // Polynomials of x, y and z, a row for each of 1, x, y, z, xy, yz, zz, xz, xx, yy.
  static VITRIFY_INLINE HarmonicRow of(T x, T y, T z)
  {
    constexpr T third = T(0.28867513459481287), sharp = T(0.86602540378443865);    // 1 / sqrt(12), 3 / sqrt(12)
    alignas(64) static constexpr T terms[10][MOST_HARMONICS] = {{1, 0, 0, 0, 0, 0, -third},
                                                                {0, 1},
                                                                {0, 0, 1},
                                                                {0, 0, 0, 1},
                                                                {0, 0, 0, 0, 1},
                                                                {0, 0, 0, 0, 0, 1},
                                                                {0, 0, 0, 0, 0, 0, sharp},
                                                                {0, 0, 0, 0, 0, 0, 0, 1},
                                                                {0, 0, 0, 0, 0, 0, 0, 0, T(0.5)},
                                                                {0, 0, 0, 0, 0, 0, 0, 0, T(-0.5)}};
    HarmonicRow row;
    for (int q = 0; q < PARTS; ++q) {
      const auto term = [q](int k) __attribute__((always_inline)) { return load_vector(terms[k] + q * LENGTH); };
      const V by_x = term(1) + term(4) * y + term(7) * z + term(8) * x;
      const V by_y = term(2) + term(5) * z + term(9) * y;
      const V by_z = term(3) + term(6) * z;
      row.part[q] = term(0) + by_x * x + by_y * y + by_z * z;
    }
    return row;
  }
};

static_assert(HarmonicRow<float>::SIZE <= MOST_HARMONICS && HarmonicRow<double>::SIZE <= MOST_HARMONICS);

/// At most BLOCK neighbours of one atom: directions are harmonics 1 to 3.
template <typename T> struct MeasuredEdges : SplineEdges<T> {
  alignas(64) T distances[BLOCK], inverse[BLOCK];
};

template <typename T>
void measure_found(const GlassVAENetwork<T> &net, const FoundNeighbours<T> &found, int first, int n,
                   MeasuredEdges<T> &edges)
{
  const T *xs = found.vectors[0] + first, *ys = found.vectors[1] + first, *zs = found.vectors[2] + first;
  auto &directions = edges.harmonics;
  edges.n = n;
  for (int e = 0; e < n; ++e) {
    const T distance = root(xs[e] * xs[e] + ys[e] * ys[e] + zs[e] * zs[e]);
    const T inverse = T(1) / (distance > T(1e-6) ? distance : T(1e-6));
    edges.distances[e] = distance;
    edges.inverse[e] = inverse;
    directions[1][e] = xs[e] * inverse;
    directions[2][e] = ys[e] * inverse;
    directions[3][e] = zs[e] * inverse;
  }
  place_edges(SplineGrid<T>{net.start, net.inverse_spacing, net.splines}, edges.distances, &edges);
}

template <typename T>
void describe_moments(const GlassVAENetwork<T> &net, const NeighbourQuery &s, const FoundNeighbours<T> &found,
                      const GlassVAEScratch<T> &scratch, const GlassVAEMoments<T> &moments)
{
  using Row = HarmonicRow<T>;
  const int n = find_neighbours<T>(s, net.cutoff_square, found);
  const int kind = net.splines + 3, inputs = net.n_species * kind, width = net.width, species = s.types[s.place];
  const T *least = net.least + static_cast<std::ptrdiff_t>(species) * net.n_species;
  // Zero, or NaN for an atom that is nowhere, which has no neighbours.
  const T nothing = static_cast<T>(0.0 * (s.axes[0][s.place] + s.axes[1][s.place] + s.axes[2][s.place]));
  for (int k = 0; k < inputs * Row::SIZE; ++k) scratch.sums[k] = nothing;
  MeasuredEdges<T> edges;
  T core = T(0);
  for (int first = 0; first < n; first += BLOCK) {
    measure_found(net, found, first, n - first < BLOCK ? n - first : BLOCK, edges);
    for (int e = 0; e < edges.n; ++e) {
      const Row h = Row::of(edges.harmonics[1][e], edges.harmonics[2][e], edges.harmonics[3][e]);
      const int other = s.types[found.ids[first + e]];
      T *to = scratch.sums + static_cast<std::ptrdiff_t>(other * kind + edges.rows[e]) * Row::SIZE;
      for (int t = 0; t < 4; ++t)
        for (int q = 0; q < Row::PARTS; ++q) {
          T *part = to + t * Row::SIZE + q * Row::LENGTH;
          store_vector(part, load_vector(part) + h.part[q] * edges.weights[t][e]);
        }
      const T distance = edges.distances[e];
      if (distance < moments.closest[other]) moments.closest[other] = distance;
      if (distance < least[other]) {
        const T inside = T(1) - distance / least[other];
        core += T(100) * inside * inside * inside;
      }
    }
  }
  *moments.core = core;
  for (int k = 0; k < inputs; ++k) moments.pairs[k] += scratch.sums[static_cast<std::ptrdiff_t>(k) * Row::SIZE];
  T *row = scratch.moments;
  for (int k = 0; k < HARMONICS * width; ++k) row[k] = T(0);
  product<T, false, 1, Row::SIZE>(HARMONICS, inputs, width, scratch.sums, 1,
                                  net.radial + static_cast<std::ptrdiff_t>(species) * inputs * width, nullptr, row);
  for (int c = 0; c < width; ++c) moments.zeroth[c] = row[c];
  for (int c = 0; c < 3 * width; ++c) moments.first[c] = row[width + c];
  for (int c = 0; c < 5 * width; ++c) moments.second[c] = row[4 * width + c];
}

// a, b (rows of 2 width) and c, d of each atom.
template <typename T>
void mix_moments(const GlassVAENetwork<T> &net, const GlassVAEBatch<T> &batch, const GlassVAEScratch<T> &scratch)
{
  const int w = net.width;
  for (int k = 0; k < 6 * w * batch.n; ++k) scratch.mixed[0][k] = T(0);
  for (int k = 0; k < 10 * w * batch.n; ++k) scratch.mixed[1][k] = T(0);
  product<T, false, 0>(3 * batch.n, w, 2 * w, batch.first, w, net.mix_first, nullptr, scratch.mixed[0]);
  product<T, false, 0>(5 * batch.n, w, 2 * w, batch.second, w, net.mix_second, nullptr, scratch.mixed[1]);
}

/// Channel c of the mixed moments of one atom; `tensor` is a symmetric traceless one.
template <typename T> struct MixedMoments {
  T a[3], b[3], tensor[5], d[5];

  VITRIFY_INLINE MixedMoments(const T *first, const T *second, std::ptrdiff_t w, int c)
  {
    for (int k = 0; k < 3; ++k) {
      a[k] = first[2 * k * w + c];
      b[k] = first[(2 * k + 1) * w + c];
    }
    for (int k = 0; k < 5; ++k) {
      tensor[k] = second[2 * k * w + c];
      d[k] = second[(2 * k + 1) * w + c];
    }
  }
  // tensor times v
  VITRIFY_INLINE void bend(const T (&v)[3], T (&to)[3]) const
  {
    const T third = tensor[2] * T(0.57735026918962576);    // 1 / sqrt(3)
    to[0] = (tensor[4] - third) * v[0] + tensor[0] * v[1] + tensor[3] * v[2];
    to[1] = tensor[0] * v[0] - (tensor[4] + third) * v[1] + tensor[1] * v[2];
    to[2] = tensor[3] * v[0] + tensor[1] * v[1] + T(2) * third * v[2];
  }
};

template <typename T> void make_invariants(const GlassVAENetwork<T> &net, const T *first, const T *second, T *x)
{
  const std::ptrdiff_t w = net.width;
  for (int c = 0; c < w; ++c) {
    const MixedMoments<T> m(first, second, w, c);
    T bent[3];
    m.bend(m.a, bent);
    x[w + c] = m.a[0] * m.b[0] + m.a[1] * m.b[1] + m.a[2] * m.b[2];
    T squares = m.tensor[0] * m.d[0];
    for (int k = 1; k < 5; ++k) squares += m.tensor[k] * m.d[k];
    x[2 * w + c] = squares;
    x[3 * w + c] = m.b[0] * bent[0] + m.b[1] * bent[1] + m.b[2] * bent[2];
  }
  for (int c = 0; c < 4 * w; ++c) x[c] -= net.shift[c];
}

// silu, and its slopes
template <typename T> void activate(T *values, T *slopes, int count)
{
  for (int k = 0; k < count; ++k) {
    const T value = values[k], share = T(1) / (T(1) + exponential<T>(-value));
    slopes[k] = share * (T(1) + value * (T(1) - share));
    values[k] = value * share;
  }
}

template <typename T>
void run_layers(const GlassVAENetwork<T> &net, const HiddenLayers<T> &layers, int n, const T *x, T *const (&values)[2],
                T *const (&slopes)[2])
{
  const int h = net.hidden, inputs = 4 * net.width;
  fill_rows(n, h, layers.first_bias, values[0]);
  product<T, false, 0>(n, inputs, h, x, inputs, layers.first, nullptr, values[0]);
  activate(values[0], slopes[0], n * h);
  fill_rows(n, h, layers.second_bias, values[1]);
  product<T, false, 0>(n, h, h, values[0], h, layers.second, nullptr, values[1]);
  activate(values[1], slopes[1], n * h);
}

// Writes the gradients by the first hidden layer, before silu, to values[0], and adds its gradients by x to by_x.
template <typename T>
void layers_backward(const GlassVAENetwork<T> &net, const HiddenLayers<T> &layers, int n, const T *by_last,
                     T *const (&values)[2], T *const (&slopes)[2], T *by_x)
{
  const int h = net.hidden;
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < h; ++k) values[1][i * h + k] = by_last[k] * slopes[1][i * h + k];
  for (int k = 0; k < n * h; ++k) values[0][k] = T(0);
  product<T, false, 0>(n, h, h, values[1], h, layers.second_back, nullptr, values[0]);
  for (int k = 0; k < n * h; ++k) values[0][k] *= slopes[0][k];
  product<T, false, 0>(n, h, 4 * net.width, values[0], h, layers.first_back, nullptr, by_x);
}

template <typename T> void add_rows(int rows, int width, const T *from, double *to)
{
  for (int i = 0; i < rows; ++i, from += width)
    for (int c = 0; c < width; ++c) to[c] += from[c];
}

// count: whole vectors
template <typename T> VITRIFY_INLINE T scalar_product(const T *a, const T *b, int count)
{
  typename Vector<T>::Type sums = {};
  for (int k = 0; k < count; k += Vector<T>::LENGTH) sums += load_vector(a + k) * load_vector(b + k);
  T total = T(0);
  for (int k = 0; k < Vector<T>::LENGTH; ++k) total += sums[k];
  return total;
}

template <typename T>
void make_features(const GlassVAENetwork<T> &net, const GlassVAEBatch<T> &batch, const GlassVAEScratch<T> &scratch,
                   double *sums)
{
  const std::ptrdiff_t w = net.width;
  mix_moments(net, batch, scratch);
  for (int i = 0; i < batch.n; ++i)
    make_invariants(net, scratch.mixed[0] + 6 * w * i, scratch.mixed[1] + 10 * w * i, batch.x + 4 * w * i);
  run_layers(net, net.graph, batch.n, batch.x, scratch.values, batch.slopes);
  add_rows(batch.n, 4 * net.width, batch.x, sums);
  add_rows(batch.n, net.hidden, scratch.values[1], sums + 4 * w);
}

template <typename T>
void energies_and_gradient(const GlassVAENetwork<T> &net, const GlassVAEBatch<T> &batch,
                           const GlassVAEScratch<T> &scratch, double *energies, double *by_hidden)
{
  const int inputs = 4 * net.width, h = net.hidden;
  run_layers(net, net.energy, batch.n, batch.x, scratch.values, scratch.slopes);
  for (int i = 0; i < batch.n; ++i)
    energies[i] = static_cast<double>(scalar_product(batch.x + i * inputs, net.energy_linear, inputs)) +
                  static_cast<double>(scalar_product(scratch.values[1] + i * h, net.energy_out, h));
  fill_rows(batch.n, inputs, net.energy_linear, batch.x);
  layers_backward(net, net.energy, batch.n, net.energy_out, scratch.values, scratch.slopes, batch.x);
  add_rows(batch.n, h, scratch.values[0], by_hidden);
}

// The mixed moments of one atom become the gradients by them, given those by the invariants.
template <typename T> void invariants_backward(std::ptrdiff_t w, const T *by_x, T *first, T *second)
{
  const T *by_squares = by_x + w, *by_second = by_squares + w, *by_bent = by_second + w;
  for (int c = 0; c < w; ++c) {
    const MixedMoments<T> m(first, second, w, c);
    T bent_a[3], bent_b[3];
    m.bend(m.a, bent_a);
    m.bend(m.b, bent_b);
    const T one = by_squares[c], two = by_second[c], three = by_bent[c];
    for (int k = 0; k < 3; ++k) {
      first[2 * k * w + c] = one * m.b[k] + three * bent_b[k];
      first[(2 * k + 1) * w + c] = one * m.a[k] + three * bent_a[k];
    }
    const T xx = m.a[0] * m.b[0], yy = m.a[1] * m.b[1], zz = m.a[2] * m.b[2];
    const T turned[5] = {m.a[1] * m.b[0] + m.a[0] * m.b[1], m.a[2] * m.b[1] + m.a[1] * m.b[2],
                         (T(2) * zz - xx - yy) * T(0.57735026918962576), m.a[2] * m.b[0] + m.a[0] * m.b[2], xx - yy};
    for (int k = 0; k < 5; ++k) {
      second[2 * k * w + c] = two * m.d[k] + three * turned[k];
      second[(2 * k + 1) * w + c] = two * m.tensor[k];
    }
  }
}

template <typename T>
void batch_backward(const GlassVAENetwork<T> &net, const GlassVAEBatch<T> &batch, const GlassVAEScratch<T> &scratch,
                    const T *by_last, const T *by_x)
{
  const int n = batch.n, w = net.width, inputs = 4 * w;
  for (int i = 0; i < n; ++i)
    for (int c = 0; c < inputs; ++c) batch.x[i * inputs + c] += by_x[c];
  layers_backward(net, net.graph, n, by_last, scratch.values, batch.slopes, batch.x);
  mix_moments(net, batch, scratch);
  for (int i = 0; i < n; ++i)
    invariants_backward<T>(w, batch.x + i * inputs, scratch.mixed[0] + 6 * w * i, scratch.mixed[1] + 10 * w * i);
  for (int k = 0; k < 3 * n * w; ++k) scratch.by_first[k] = T(0);
  for (int k = 0; k < 5 * n * w; ++k) scratch.by_second[k] = T(0);
  product<T, false, 0>(3 * n, 2 * w, w, scratch.mixed[0], 2 * w, net.back_first, nullptr, scratch.by_first);
  product<T, false, 0>(5 * n, 2 * w, w, scratch.mixed[1], 2 * w, net.back_second, nullptr, scratch.by_second);
}

}    // namespace

}    // namespace vitrify
