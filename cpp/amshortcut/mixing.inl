// SPDX-License-Identifier: BSD-3-Clause
// The networks of the atoms between two sums over neighbours, local to kernels.cpp.
#pragma once

#include "amshortcut/moment_kernels.h"
#include "simd/math.inl"
#include "simd/product.inl"

namespace vitrify {

namespace {

// 1 / sqrt(1 + mean over the channels of the squares of n components).
template <typename T> VITRIFY_INLINE T shortening(const T *values, int components, int width)
{
  T total = T(0);
  for (int k = 0; k < components * width; ++k) total += values[k] * values[k];
  return T(1) / root(T(1) + total / static_cast<T>(width));
}

// Rows [v, first moments, carried] of the three components of each atom.
template <typename T> void arrange_vectors(const MomentMixing<T> &m, int n)
{
  const std::ptrdiff_t w = m.width, inner = m.first ? w : 3 * w;
  for (int i = 0; i < n; ++i)
    for (int a = 0; a < 3; ++a) {
      T *to = m.vectors + (3 * i + a) * inner;
      if (!m.first) {
        const T *v = m.v + (3 * i + a) * w, *carried = m.carried + (CARRIED * i + 1 + a) * w;
        for (int c = 0; c < w; ++c) to[c] = v[c];
        for (int c = 0; c < w; ++c) to[2 * w + c] = carried[c];
        to += w;
      }
      const T *moment = m.moments + (HARMONICS * i + 1 + a) * w;
      for (int c = 0; c < w; ++c) to[c] = moment[c];
    }
}

// A symmetric traceless tensor, as the harmonics order its five components, times vectors a (rows of 2 width).
template <typename T> void turn(const T *second, const T *a, int width, T *turned)
{
  const std::ptrdiff_t w = width;
  const T *xy = second, *yz = second + w, *zz = second + 2 * w, *xz = second + 3 * w, *xx_yy = second + 4 * w;
  const T *x = a, *y = a + 2 * w, *z = a + 4 * w;
  for (int c = 0; c < width; ++c) {
    const T third = zz[c] * T(0.57735026918962576);    // 1 / sqrt(3)
    turned[c] = (xx_yy[c] - third) * x[c] + xy[c] * y[c] + xz[c] * z[c];
    turned[w + c] = xy[c] * x[c] - (xx_yy[c] + third) * y[c] + yz[c] * z[c];
    turned[2 * w + c] = xz[c] * x[c] + yz[c] * y[c] + T(2) * third * z[c];
  }
}

// Mean 0 and variance 1, as torch's layer_norm.
template <typename T> void standardise(T *values, int n)
{
  T total = T(0), squares = T(0);
  for (int k = 0; k < n; ++k) total += values[k];
  const T mean = total / static_cast<T>(n);
  for (int k = 0; k < n; ++k) squares += (values[k] - mean) * (values[k] - mean);
  const T scale = T(1) / root(squares / static_cast<T>(n) + T(1e-5));
  for (int k = 0; k < n; ++k) values[k] = (values[k] - mean) * scale;
}

// The invariants of one atom, from its mixed vectors and its moments, which become shorter.
template <typename T> void make_invariants(const MomentMixing<T> &m, int i)
{
  const std::ptrdiff_t w = m.width;
  const int count = m.first ? 5 : 6;
  T *mixed = m.mixed + 6 * w * i, *moments = m.moments + HARMONICS * w * i, *second = moments + 4 * w;
  const T shorter = shortening(mixed, 3, 2 * m.width), shorter_second = shortening(second, 5, m.width);
  for (int k = 0; k < 6 * w; ++k) mixed[k] *= shorter;
  for (int k = 0; k < 5 * w; ++k) second[k] *= shorter_second;
  turn(second, mixed, m.width, m.turned + 3 * w * i);
  const T *a = mixed, *b = mixed + w, *turned = m.turned + 3 * w * i, *s = m.s + w * i;
  T *to = m.scalars + count * w * i;
  for (int c = 0; c < w; ++c) to[c] = s[c];
  for (int c = 0; c < w; ++c) to[w + c] = moments[c];
  if (!m.first) {
    const T *along = m.carried + CARRIED * w * i;
    for (int c = 0; c < w; ++c) to[2 * w + c] = along[c];
  }
  T *products = to + (count - 3) * w, *squares = products + w, *bent = squares + w;
  for (int c = 0; c < w; ++c) {
    products[c] = a[c] * b[c] + a[2 * w + c] * b[2 * w + c] + a[4 * w + c] * b[4 * w + c];
    bent[c] = a[c] * turned[c] + a[2 * w + c] * turned[w + c] + a[4 * w + c] * turned[2 * w + c];
    T square = T(0);
    for (int k = 0; k < 5; ++k) square += second[k * w + c] * second[k * w + c];
    squares[c] = square;
  }
  standardise(to, count * m.width);
}

template <typename T> void mix_moments(const MomentMixing<T> &m, int n)
{
  const std::ptrdiff_t w = m.width;
  const int inner = m.first ? m.width : 3 * m.width, count = m.first ? 5 : 6;
  arrange_vectors(m, n);
  for (int k = 0; k < 6 * w * n; ++k) m.mixed[k] = T(0);
  product<T, false, 0>(3 * n, inner, 2 * m.width, m.vectors, inner, m.mix, nullptr, m.mixed);
  for (int i = 0; i < n; ++i) make_invariants(m, i);

  fill_rows(n, 2 * m.width, m.hidden_bias, m.hiddens);
  product<T, false, 0>(n, count * m.width, 2 * m.width, m.scalars, count * w, m.hidden, nullptr, m.hiddens);
  for (int i = 0; i < n; ++i) {
    T *hidden = m.hiddens + 2 * w * i;
    for (int h = 0; h < 2 * w; ++h) {
      const T value = hidden[h] * m.gain[h] + m.shift[h];
      hidden[h] = value / (T(1) + exponential<T>(-value));
    }
  }
  fill_rows(n, m.out_width, m.out_bias, m.changes);
  product<T, false, 0>(n, 2 * m.width, m.out_width, m.hiddens, 2 * w, m.out, nullptr, m.changes);

  for (int i = 0; i < n; ++i) {
    const T *change = m.changes + static_cast<std::ptrdiff_t>(m.out_width) * i, *gate = change + w, *turns = gate + w;
    const T *s = m.s + w * i;
    T *new_s = m.new_s + w * i;
    for (int c = 0; c < w; ++c) new_s[c] = s[c] + change[c];
    for (int a = 0; a < 3; ++a) {
      const T *b = m.mixed + (3 * i + a) * 2 * w + w, *turned = m.turned + (3 * i + a) * w;
      T *new_v = m.new_v + (3 * i + a) * w;
      for (int c = 0; c < w; ++c) new_v[c] = gate[c] * b[c] + turns[c] * turned[c];
      if (m.first) continue;
      const T *v = m.v + (3 * i + a) * w;
      for (int c = 0; c < w; ++c) new_v[c] += v[c];
    }
  }
}

template <typename T> void read_out_moments(const MomentReadout<T> &m, int n, double *answers)
{
  const std::ptrdiff_t w = m.width;
  fill_rows(n, m.gate_width, m.bias, m.gates);
  product<T, false, 0>(n, m.width, m.gate_width, m.s, w, m.gate, nullptr, m.gates);
  for (int i = 0; i < n; ++i) {
    const T *gate = m.gates + static_cast<std::ptrdiff_t>(m.gate_width) * i;
    for (int a = 0; a < 3; ++a) {
      const T *v = m.v + (3 * i + a) * w;
      T total = T(0);
      for (int c = 0; c < w; ++c) total += gate[c] * v[c];
      answers[3 * i + a] = static_cast<double>(total / static_cast<T>(m.width));
    }
  }
}

}    // namespace

}    // namespace vitrify
