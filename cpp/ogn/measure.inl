// SPDX-License-Identifier: BSD-3-Clause
// Distances and filters of the pairs of one atom, local to kernels.cpp.
#pragma once

#include "ogn/ogn_kernels.h"
#include "simd/math.inl"
#include "simd/shuffles.inl"
#include "simd/vectors.inl"

#include <cstdint>

namespace vitrify {

namespace {

/// Geometry of the pairs of a block.
template <typename T> struct Block {
  alignas(64) T vectors[BLOCK][4];    // d / |d| times PairPass::vector_scale, and a zero
  alignas(64) T columns[4][BLOCK];    // differences of places and the species of the neighbour, then x, y, z of vectors
  alignas(64) T left[BLOCK];          // 1 - t, t the place within the interval of the spline
  alignas(64) T envelope[BLOCK];
  alignas(64) int rows[BLOCK];    // numbers of the intervals: which polynomials
};

template <typename T> using Place = typename PlaceType<T>::Value;

/// Rows of four values, COUNT of them in four vectors. A vector of eight values holds row k and row k + 4.
template <typename T> struct FourRows {
  static constexpr bool WIDE = sizeof(T) == 4 && VITRIFY_VECTOR_BYTES >= 32;
  static constexpr int COUNT = WIDE ? 8 : 4;
  static constexpr bool IN_VECTORS = WIDE || Pack<T, 4>::PARTS == 1;
  static constexpr int BYTES = IN_VECTORS ? static_cast<int>(sizeof(T)) * COUNT : 16;
  typedef Place<T> Places __attribute__((vector_size(BYTES)));
  typedef T Values __attribute__((vector_size(BYTES)));

  static VITRIFY_INLINE Places load(const Place<T> *row, [[maybe_unused]] const Place<T> *row_after)
  {
    Places rows;
#if VITRIFY_VECTOR_BYTES >= 32
    if constexpr (WIDE) {
      const auto *low = reinterpret_cast<const __m128i *>(row), *high = reinterpret_cast<const __m128i *>(row_after);
      return reinterpret_cast<Places>(
          _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_load_si128(low)), _mm_load_si128(high), 1));
    }
#endif
    __builtin_memcpy(&rows, row, sizeof(rows));
    return rows;
  }
  static VITRIFY_INLINE Places without_last(const Places &rows)
  {
    if constexpr (WIDE)
      return shuffled<0, 1, 2, 11, 4, 5, 6, 15>(rows, Places{});
    else
      return shuffled<0, 1, 2, 7>(rows, Places{});
  }
  // Of whole numbers without signs, because it may run over.
  static VITRIFY_INLINE Places difference(const Places &a, const Places &b)
  {
    if constexpr (sizeof(Place<T>) == sizeof(std::uint32_t)) {
      typedef std::uint32_t Wholes __attribute__((vector_size(BYTES)));
      return reinterpret_cast<Places>(reinterpret_cast<Wholes>(a) - reinterpret_cast<Wholes>(b));
    } else {
      return a - b;
    }
  }
  static VITRIFY_INLINE void store(const Values &rows, T *row, [[maybe_unused]] T *row_after)
  {
#if VITRIFY_VECTOR_BYTES >= 32
    if constexpr (WIDE) {
      _mm_store_ps(row, _mm256_castps256_ps128(rows));
      _mm_store_ps(row_after, _mm256_extractf128_ps(rows, 1));
      return;
    }
#endif
    __builtin_memcpy(row, &rows, sizeof(rows));
  }
};

// Differences of the places of some neighbours and the centre, whose species counts as 0, in columns from k on.
template <typename T>
VITRIFY_INLINE void subtract(const NodeRecord<T> *nodes, const NodeRecord<T> &centre, const int *some, Block<T> &block,
                             int k)
{
  using Rows = FourRows<T>;
  if constexpr (Rows::IN_VECTORS) {
    const auto own = Rows::without_last(Rows::load(centre.place, centre.place));
    typename Rows::Places rows[4];
    for (int q = 0; q < 4; ++q)
      rows[q] = Rows::difference(Rows::load(nodes[some[q]].place, nodes[some[Rows::WIDE ? q + 4 : q]].place), own);
    transpose(rows);
    for (int c = 0; c < 4; ++c) {
      const auto column = __builtin_convertvector(rows[c], typename Rows::Values);
      __builtin_memcpy(block.columns[c] + k, &column, sizeof(column));
    }
  } else {
    for (int q = 0; q < 4; ++q)
      for (int c = 0; c < 4; ++c)
        block.columns[c][k + q] = static_cast<T>(nodes[some[q]].place[c] - (c < 3 ? centre.place[c] : Place<T>(0)));
  }
}

// Rows of vectors from columns.
template <typename T> VITRIFY_INLINE void store_vectors(Block<T> &block, int n)
{
  using Rows = FourRows<T>;
  if constexpr (Rows::IN_VECTORS) {
    using V = typename Rows::Values;
    for (int k = 0; k < n; k += Rows::COUNT) {
      V rows[4];
      for (int c = 0; c < 3; ++c) __builtin_memcpy(&rows[c], block.columns[c] + k, sizeof(V));
      rows[3] = V{};
      transpose(rows);
      for (int q = 0; q < 4; ++q)
        Rows::store(rows[q], block.vectors[k + q], block.vectors[Rows::WIDE ? k + q + 4 : k + q]);
    }
  } else {
    for (int k = 0; k < n; ++k)
      for (int c = 0; c < 3; ++c) block.vectors[k][c] = block.columns[c][k];
  }
}

// Coordinate k of a difference of places. What the frame's numbers lose by rounding counts: it would stretch every
// distance alike.
template <bool OBLIQUE, typename T> VITRIFY_INLINE T coordinate(const PairPass<T> &p, int k, const T (&difference)[3])
{
#if VITRIFY_VECTOR_BYTES < 32
  using Sum = double;    // in place of products that are added without rounding
#else
  using Sum = T;
#endif
  Sum sum = difference[k] * static_cast<Sum>(p.frame_rest[k][k]);
  if (OBLIQUE)
    for (int d = 0; d < 3; ++d)
      if (d != k)
        sum += difference[d] * static_cast<Sum>(p.frame_rest[d][k]) + difference[d] * static_cast<Sum>(p.frame[d][k]);
  return static_cast<T>(sum + difference[k] * static_cast<Sum>(p.frame[k][k]));
}

// What a block holds of the pairs whose columns are there. Loops run over whole vectors, so the last one may work on
// old values of blocks before; comparisons are written so that NaN gives the lower bound.
template <bool OBLIQUE, typename T>
VITRIFY_INLINE void measure_columns(const PairPass<T> &p, Block<T> &block, T species, const T *distances, int n)
{
  const T start = p.start, inverse_spacing = p.inverse_spacing, intervals = p.intervals;
  const T onset = p.onset, inverse_width = p.inverse_width, scale = p.vector_scale;
  const int last = static_cast<int>(intervals) - 1;
  for (int base = 0; base < n; base += BATCH) {
    for (int k = base; k < base + BATCH; ++k) {
      const T other = block.columns[3][k];
      const T d[3] = {block.columns[0][k], block.columns[1][k], block.columns[2][k]};
      const T x = coordinate<OBLIQUE>(p, 0, d), y = coordinate<OBLIQUE>(p, 1, d), z = coordinate<OBLIQUE>(p, 2, d);
      T square = x * x + y * y + z * z;
      square = square > T(1e-12) ? square : T(1e-12);
      const T distance = root(square);
      const T inverse = scale / distance;
      block.columns[0][k] = x * inverse;
      block.columns[1][k] = y * inverse;
      block.columns[2][k] = z * inverse;
      T t = (distance - start) * inverse_spacing;
      t = t > T(0) ? t : T(0);
      t = t < intervals ? t : intervals;
      int interval = static_cast<int>(t);
      interval = interval < last ? interval : last;
      block.left[k] = T(1) - (t - static_cast<T>(interval));
      // The pair of species as pair_of_species() counts it; exact, because OGNTables limits the number of intervals.
      const T high = species > other ? species : other, low = species > other ? other : species;
      block.rows[k] = static_cast<int>((high * (high + T(1)) * T(0.5) + low) * intervals) + interval;
      T w = (distances[k] - onset) * inverse_width;
      w = w > T(0) ? w : T(0);
      w = w < T(1) ? w : T(1);
      block.envelope[k] = T(1) - w * w * w * (T(10) + w * (T(6) * w - T(15)));
    }
  }
}

// The geometry of the pairs first ... first + n - 1 of atom i.
template <typename T> void measure(const PairPass<T> &p, Block<T> &block, std::int64_t i, std::int64_t first, int n)
{
  const NodeRecord<T> &node = p.nodes[i];
  // The last few may be neighbours of the next atom, or what a PairList ends with.
  for (int k = 0; k < n; k += FourRows<T>::COUNT) subtract(p.nodes, node, p.neighbours + first + k, block, k);
  const T species = static_cast<T>(node.place[3]);
  if (p.oblique)
    measure_columns<true>(p, block, species, p.distances + first, n);
  else
    measure_columns<false>(p, block, species, p.distances + first, n);
  store_vectors(block, n);
}

// The value of one group of filters, at the polynomials that `row` points to.
template <typename T> VITRIFY_INLINE Lanes<T> filter(const T *row, int groups, T left, T envelope)
{
  Lanes<T> value = load<Lanes<T>>(row) * left + load<Lanes<T>>(row + groups * LANES);
  value = value * left + load<Lanes<T>>(row + 2 * groups * LANES);
  return (value * left + load<Lanes<T>>(row + 3 * groups * LANES)) * envelope;
}

}    // namespace

}    // namespace vitrify
