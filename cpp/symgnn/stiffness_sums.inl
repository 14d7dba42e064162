// SPDX-License-Identifier: BSD-3-Clause
// Sums over bonds that say how stiffly an atom is bound, local to kernels.cpp:
// python/vitrify/symgnn/models/stiffness.py. All in double, because small differences of large sums are taken later,
// and logarithms of them.
#pragma once

#include "simd/math.inl"
#include "simd/neighbour_visit.inl"
#include "symgnn/symgnn_kernels.h"

namespace vitrify {

namespace {

using Doubles = Vector<double>;

// Rows of BondArguments::terms.
enum BondTerm { ALONG_X, ALONG_Y, ALONG_Z, LENGTH_OF, ENERGY, SLOPE, CURVATURE, COMPLIANCE };

template <typename T> inline int find_bonds(const BondArguments<T> &b, const NeighbourQuery &s)
{
  using G = NodeLanes;
  int *found = b.found;
  T *x = b.vectors[0], *y = b.vectors[1], *z = b.vectors[2];
  const int *ids = s.ids;
  return visit(s, b.cutoff_square,
               [&](int at, int k, const auto &dx, const auto &dy, const auto &dz, const auto &, unsigned mask)
                   __attribute__((always_inline)) {
                     G::append(x + at, dx, mask);
                     G::append(y + at, dy, mask);
                     G::append(z + at, dz, mask);
                     G::append(found + at, G::ids(ids + k), mask);
                   });
}

// Directions, lengths and pair functions of `count` bonds from the first one on, and zeros from there to a whole
// vector.
template <typename T>
inline int evaluate_bonds(const BondArguments<T> &b, const NeighbourQuery &s, int first, int count)
{
  const int own = s.types[s.ids[s.place]], last = KNOTS - 2;
  double *to = b.terms;
  for (int k = 0; k < count; ++k) {
    const double x = b.vectors[0][first + k], y = b.vectors[1][first + k], z = b.vectors[2][first + k];
    const double length = root(x * x + y * y + z * z), inverse = 1.0 / (length > 1e-12 ? length : 1e-12);
    const int other = s.types[b.found[first + k]];
    const int larger = own > other ? own : other, smaller = own > other ? other : own;
    double place = (length - b.start) * b.inverse_step;
    place = place > 0.0 ? place : 0.0;
    place = place < last + 1.0 ? place : last + 1.0;
    int knot = static_cast<int>(place);
    knot = knot < last ? knot : last;
    const double part = place - knot;
    const double *row = b.table + (static_cast<std::ptrdiff_t>(larger * (larger + 1) / 2 + smaller) * KNOTS + knot) * 3;
    to[ALONG_X * LONG_STRIDE + k] = x * inverse;
    to[ALONG_Y * LONG_STRIDE + k] = y * inverse;
    to[ALONG_Z * LONG_STRIDE + k] = z * inverse;
    to[LENGTH_OF * LONG_STRIDE + k] = length;
    for (int q = 0; q < 3; ++q) to[(ENERGY + q) * LONG_STRIDE + k] = row[q] * (1.0 - part) + row[3 + q] * part;
  }
  const int whole = (count + Doubles::LENGTH - 1) / Doubles::LENGTH * Doubles::LENGTH;
  for (int q = 0; q < COMPLIANCE + 6; ++q)
    for (int k = count; k < whole; ++k) to[q * LONG_STRIDE + k] = 0.0;
  return whole;
}

VITRIFY_INLINE double total(const Doubles::Type &vector)
{
  double sum = 0.0;
  for (int q = 0; q < Doubles::LENGTH; ++q) sum += vector[q];
  return sum;
}

// Energy, virial, longitudinal and transverse stiffness: sums (19).
template <typename T> void sum_bonds(const BondArguments<T> &b, const NeighbourQuery &s, double *sums)
{
  using V = Doubles::Type;
  const int n = find_bonds(b, s);
  V energy = {}, slopes = {}, virial[6] = {}, longitudinal[6] = {}, sideways[6] = {};
  for (int first = 0; first < n; first += LONG_BLOCK) {
    const int whole = evaluate_bonds(b, s, first, n - first < LONG_BLOCK ? n - first : LONG_BLOCK);
    for (int k = 0; k < whole; k += Doubles::LENGTH) {
      const auto row = [&](int q) { return load_vector(b.terms + q * LONG_STRIDE + k); };
      const V x = row(ALONG_X), y = row(ALONG_Y), z = row(ALONG_Z), length = row(LENGTH_OF);
      const V slope = row(SLOPE), curvature = row(CURVATURE), stress = slope * length * length;
      const V along[6] = {x * x, y * y, z * z, x * y, x * z, y * z};
      energy += row(ENERGY);
      slopes += slope;
      for (int q = 0; q < 6; ++q) {
        virial[q] += stress * along[q];
        longitudinal[q] += curvature * along[q];
        sideways[q] += slope * along[q];
      }
    }
  }
  sums[0] = total(energy) * 0.5;
  for (int q = 0; q < 6; ++q) {
    sums[1 + q] = total(virial[q]) * 0.5;
    sums[7 + q] = total(longitudinal[q]);
    sums[13 + q] = (q < 3 ? total(slopes) : 0.0) - total(sideways[q]);
  }
}

// Sums (6) over neighbours: bond stiffness times compliance of the neighbour times bond stiffness.
template <typename T> void sum_compliance(const BondArguments<T> &b, const NeighbourQuery &s, double *sums)
{
  using V = Doubles::Type;
  const int n = find_bonds(b, s);
  V all[6] = {};
  for (int first = 0; first < n; first += LONG_BLOCK) {
    const int count = n - first < LONG_BLOCK ? n - first : LONG_BLOCK;
    const int whole = evaluate_bonds(b, s, first, count);
    for (int k = 0; k < count; ++k)
      for (int q = 0; q < 6; ++q)
        b.terms[(COMPLIANCE + q) * LONG_STRIDE + k] =
            b.compliance[static_cast<std::ptrdiff_t>(b.found[first + k]) * 6 + q];
    for (int k = 0; k < whole; k += Doubles::LENGTH) {
      const auto row = [&](int q) { return load_vector(b.terms + q * LONG_STRIDE + k); };
      const V x = row(ALONG_X), y = row(ALONG_Y), z = row(ALONG_Z), slope = row(SLOPE);
      const V difference = row(CURVATURE) - slope;
      const V m[6] = {row(COMPLIANCE),     row(COMPLIANCE + 1), row(COMPLIANCE + 2),
                      row(COMPLIANCE + 3), row(COMPLIANCE + 4), row(COMPLIANCE + 5)};
      const V mx = m[0] * x + m[3] * y + m[4] * z, my = m[3] * x + m[1] * y + m[5] * z,
              mz = m[4] * x + m[5] * y + m[2] * z;
      const V squared = slope * slope, mixed = slope * difference,
              inside = difference * difference * (x * mx + y * my + z * mz);
      all[0] += squared * m[0] + x * (2.0 * mixed * mx + inside * x);
      all[1] += squared * m[1] + y * (2.0 * mixed * my + inside * y);
      all[2] += squared * m[2] + z * (2.0 * mixed * mz + inside * z);
      all[3] += squared * m[3] + mixed * (x * my + y * mx) + inside * x * y;
      all[4] += squared * m[4] + mixed * (x * mz + z * mx) + inside * x * z;
      all[5] += squared * m[5] + mixed * (y * mz + z * my) + inside * y * z;
    }
  }
  for (int q = 0; q < 6; ++q) sums[q] = total(all[q]);
}

}    // namespace

}    // namespace vitrify
