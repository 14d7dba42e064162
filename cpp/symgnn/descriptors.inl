// SPDX-License-Identifier: BSD-3-Clause
// Descriptors, shell sums and readout, local to kernels.cpp.
#pragma once

#include "simd/math.inl"
#include "simd/neighbour_visit.inl"
#include "simd/product.inl"
#include "symgnn/symgnn_kernels.h"

namespace vitrify {

namespace {

// Finds the neighbours within the radius of the descriptors and sorts them by species; returns their number.
template <typename T> inline int sorted_neighbours(const DescriptorArguments<T> &d, const NeighbourQuery &s)
{
  using G = NodeLanes;
  int *found = d.found;
  T *x = d.vectors[0], *y = d.vectors[1], *z = d.vectors[2];
  const int *ids = s.ids;
  const int n = visit(s, d.inner_square,
                      [&](int at, int k, const auto &dx, const auto &dy, const auto &dz, const auto &, unsigned mask)
                          __attribute__((always_inline)) {
                            G::append(x + at, dx, mask);
                            G::append(y + at, dy, mask);
                            G::append(z + at, dz, mask);
                            G::append(found + at, G::ids(ids + k), mask);
                          });
  int *ends = d.ends;
  for (int a = 0; a <= d.n_species; ++a) ends[a] = 0;
  if (d.n_species > 1) {
    for (int k = 0; k < n; ++k) {
      found[k] = s.types[found[k]];
      ++ends[found[k] + 1];
    }
    for (int a = 1; a < d.n_species; ++a) ends[a + 1] += ends[a];
  } else {
    ends[1] = n;
  }
  T *to_x = d.sorted[0], *to_y = d.sorted[1], *to_z = d.sorted[2];
  // ends[a] is where the next one of species a goes, so that in the end it is the end of a, not its start.
  for (int k = 0; k < n; ++k) {
    const int at = d.n_species > 1 ? ends[found[k]]++ : k;
    to_x[at] = x[k];
    to_y[at] = y[k];
    to_z[at] = z[k];
  }
  if (d.n_species == 1) ends[0] = n;
  // The last vector is filled up with ones, because normalise() divides by lengths.
  for (int k = n; k < n + Vector<T>::LENGTH; ++k) to_x[k] = to_y[k] = to_z[k] = T(1);
  return n;
}

// Lengths, and directions in place of the vectors.
template <typename T> inline void normalise(const DescriptorArguments<T> &d, int n)
{
  T *x = d.sorted[0], *y = d.sorted[1], *z = d.sorted[2], *lengths = d.lengths;
  const int whole = (n + Vector<T>::LENGTH - 1) / Vector<T>::LENGTH * Vector<T>::LENGTH;
  for (int k = 0; k < whole; ++k) {
    const T length = root(x[k] * x[k] + y[k] * y[k] + z[k] * z[k]);
    lengths[k] = length;
    const T inverse = T(1) / (length > T(1e-12) ? length : T(1e-12));
    x[k] *= inverse;
    y[k] *= inverse;
    z[k] *= inverse;
  }
}

// Real spherical harmonics of n directions: Q_lm(z) times the real and imaginary part of (x + iy)^m, where Q_lm is an
// associated Legendre function over sin^m in Racah's normalisation, made by upward recursion in l.
template <typename T> inline void angular(const DescriptorArguments<T> &d, int first, int n)
{
  using V = typename Vector<T>::Type;
  for (int k = 0; k < n; k += Vector<T>::LENGTH) {
    const V x = load_vector(d.sorted[0] + first + k), y = load_vector(d.sorted[1] + first + k),
            z = load_vector(d.sorted[2] + first + k);
    T *to = d.angular + k;
    const T *factors = d.recursion;
    V cosine = V{} + T(1), sine = {};
    for (int m = 0; m <= d.degree; ++m) {
      V before = {}, now = V{} + *factors++;
      for (int ell = m;;) {
        T *row = to + static_cast<std::ptrdiff_t>(ell * ell + (m ? 2 * m - 1 : 0)) * LONG_STRIDE;
        store_vector(row, now * cosine);
        if (m) store_vector(row + LONG_STRIDE, now * sine);
        if (++ell > d.degree) break;
        const V next = z * now * factors[0] - before * factors[1];
        factors += 2;
        before = now;
        now = next;
      }
      const V turned = x * cosine - y * sine;
      sine = x * sine + y * cosine;
      cosine = turned;
    }
  }
}

// Cubic B-splines of n distances. Columns beyond the basis hold splines that nothing reads.
template <typename T> inline void radial(const DescriptorArguments<T> &d, int first, int n)
{
  using V = typename Vector<T>::Type;
  constexpr int length = Vector<T>::LENGTH;
  V counted;
  for (int q = 0; q < length; ++q) counted[q] = static_cast<T>(q);
  const T sixth = T(1) / T(6), two_thirds = T(2) / T(3);
  for (int q = 0; q < d.width; q += length) {
    const V centres = counted + static_cast<T>(q);
    T *to = d.radial + q;
    for (int k = 0; k < n; ++k, to += d.width) {
      const V place = (d.lengths[first + k] - d.start) * d.inverse_step - centres;
      const V distance = place < T(0) ? -place : place;
      V inner = T(1) - distance, outer = T(2) - distance;
      inner = inner > T(0) ? inner : V{};
      outer = outer > T(0) ? outer : V{};
      store_vector(to, outer * outer * outer * sixth - inner * inner * inner * two_thirds);
    }
  }
}

// Sums over m of products of two rows of densities, which are `b - a` values apart, for each radial function.
// Writes whole vectors, also over values behind the last one, which must be written later.
template <typename T> VITRIFY_INLINE void correlate(const T *a, const T *b, int count, int width, T *to)
{
  for (int q = 0; q < width; q += Vector<T>::LENGTH) {
    typename Vector<T>::Type sum = {};
    for (int m = 0; m < count; ++m) sum += load_vector(a + m * width + q) * load_vector(b + m * width + q);
    store_vector(to + q, sum);
  }
}

// In the order of python/vitrify/symgnn/models/descriptors.py.
template <typename T> inline void invariants(const DescriptorArguments<T> &d, T *to)
{
  const int basis = d.basis, width = d.width;
  const std::ptrdiff_t block = static_cast<std::ptrdiff_t>(d.harmonics) * width;
  for (int a = 0; a < d.n_species; ++a)
    for (int k = 0; k < basis; ++k) *to++ = d.densities[a * block + k];
  for (int a = 0; a < d.n_species; ++a)
    for (int k = 0; k < basis; ++k) {
      const T density = d.densities[a * block + k];
      *to++ = root(density > T(0) ? density : T(0));
    }
  for (int ell = 1; ell <= d.degree; ++ell) {
    const T *rows = d.densities + static_cast<std::ptrdiff_t>(ell * ell) * width;
    const int count = 2 * ell + 1;
    for (int a = 0; a < d.n_species; ++a, to += basis) correlate(rows + a * block, rows + a * block, count, width, to);
    for (int a = 0; a < d.n_species; ++a)
      for (int b = 0; b < a; ++b, to += basis) correlate(rows + a * block, rows + b * block, count, width, to);
    for (int a = 0; a < d.n_species; ++a, to += basis - 1)
      correlate(rows + a * block, rows + a * block + 1, count, width, to);
  }
}

template <typename T> void describe(const DescriptorArguments<T> &d, const NeighbourQuery &s, T *to)
{
  const int n = sorted_neighbours(d, s);
  normalise(d, n);
  const std::ptrdiff_t block = static_cast<std::ptrdiff_t>(d.harmonics) * d.width;
  for (std::ptrdiff_t k = 0; k < d.n_species * block; ++k) d.densities[k] = T(0);
  for (int first = 0; first < n; first += LONG_BLOCK) {
    const int count = n - first < LONG_BLOCK ? n - first : LONG_BLOCK;
    angular(d, first, count);
    radial(d, first, count);
    for (int a = 0; a < d.n_species; ++a) {
      const int begin = a > 0 && d.ends[a - 1] > first ? d.ends[a - 1] - first : 0;
      const int end = d.ends[a] - first < count ? d.ends[a] - first : count;
      if (begin < end)
        product<T, false, LONG_STRIDE>(d.harmonics, end - begin, d.width, d.angular + begin, LONG_STRIDE,
                                       d.radial + static_cast<std::ptrdiff_t>(begin) * d.width, nullptr,
                                       d.densities + a * block);
    }
  }
  invariants(d, to);
  for (int k = 0; k < d.descriptors; ++k) to[k] -= d.centre[k];
}

// Closest pairs of each species, which hardly ever change.
template <typename T> inline void note_closest(const ShellSums<T> &p, const NeighbourQuery &s, int n)
{
  double *least = p.least + static_cast<std::ptrdiff_t>(s.types[s.ids[s.place]]) * p.n_species;
  for (int k = 0; k < n; ++k) {
    double &one = least[s.types[p.found[k]]];
    if (p.squares[k] < one) one = p.squares[k];
  }
}

template <typename T> void sum_shells(const ShellSums<T> &p, const NeighbourQuery &s, T *sums)
{
  using G = NodeLanes;
  int *found = p.found;
  double *squares = p.squares;
  const int *ids = s.ids;
  const int n = visit(s, p.cutoff_square,
                      [&](int at, int k, const auto &, const auto &, const auto &, const auto &square, unsigned mask)
                          __attribute__((always_inline)) {
                            G::append(squares + at, square, mask);
                            G::append(found + at, G::ids(ids + k), mask);
                          });
  note_closest(p, s, n);
  for (int first = 0; first < n; first += LONG_BLOCK) {
    const int count = n - first < LONG_BLOCK ? n - first : LONG_BLOCK;
    for (int shell = 0; shell < p.shells; ++shell) {
      const T centre = static_cast<T>(shell + 1), scale = p.scale[shell];
      T *to = p.radial + shell * LONG_STRIDE;
      for (int k = 0; k < count; ++k) {
        T place = (root(static_cast<T>(squares[first + k])) - p.core) * p.inverse_step;
        place = place > T(1) ? place : T(1);
        const T distance = place > centre ? place - centre : centre - place;
        const T hat = T(1) - distance;
        to[k] = hat > T(0) ? hat * scale : T(0);
      }
    }
    product<T, true, LONG_STRIDE>(p.shells, count, p.width, p.radial, LONG_STRIDE, p.fields, found + first, sums);
  }
}

// The correction: one hidden layer for each member.
template <typename T> inline void correct(const Readout<T> &r, int n, const T *values, T *found)
{
  const int inner = r.fields * r.inputs;
  for (int m = 0; m < r.members; ++m) {
    for (int i = 0; i < n; ++i) {
      const T *from = values + static_cast<std::ptrdiff_t>(i) * r.inputs * r.width + m * r.fields;
      T *to = r.arranged + static_cast<std::ptrdiff_t>(i) * inner;
      for (int q = 0; q < r.inputs; ++q)
        for (int c = 0; c < r.fields; ++c) *to++ = from[q * r.width + c];
      const T *bias = r.first_bias + static_cast<std::ptrdiff_t>(m) * r.hidden_width;
      for (int h = 0; h < r.hidden_width; ++h) r.hiddens[i * r.hidden_width + h] = bias[h];
    }
    product<T, false, 0>(n, inner, r.hidden_width, r.arranged, inner,
                         r.first_weight + static_cast<std::ptrdiff_t>(m) * inner * r.hidden_width, nullptr, r.hiddens);
    const T *last = r.last_weight + static_cast<std::ptrdiff_t>(m) * r.hidden_width;
    for (int i = 0; i < n; ++i) {
      T *hidden = r.hiddens + i * r.hidden_width;
      for (int h = 0; h < r.hidden_width; ++h) hidden[h] = hidden[h] / (T(1) + exponential<T>(-hidden[h])) * last[h];
      T total = T(0);
      for (int h = 0; h < r.hidden; ++h) total += hidden[h];
      found[i * r.members + m] += total;
    }
  }
}

template <typename T> void read_out(const Readout<T> &r, int n, const T *values, const T *direct, T *found)
{
  for (int i = 0; i < n; ++i) {
    const T *row = values + static_cast<std::ptrdiff_t>(i) * r.inputs * r.width;
    for (int m = 0; m < r.members; ++m) {
      T total = direct[i * r.members + m];
      for (int q = 0; q < r.inputs; ++q)
        for (int c = 0; c < r.fields; ++c) {
          const int at = q * r.width + m * r.fields + c;
          total += row[at] * r.linear[at];
        }
      found[i * r.members + m] = total;
    }
  }
  if (r.hidden > 0) correct(r, n, values, found);
}

}    // namespace

}    // namespace vitrify
