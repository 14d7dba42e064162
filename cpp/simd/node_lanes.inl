// SPDX-License-Identifier: BSD-3-Clause
// A few nodes of a grid at a time, local to each kernels.cpp.
#pragma once

#include "simd/math.inl"
#include "simd/vectors.inl"

namespace vitrify {

namespace {

/// Operations on COUNT nodes at a time: their ids, real numbers of them, and masks with a bit for each. `append` writes
/// the nodes of a mask one after the other and returns their number; it may write up to COUNT values, so that arrays
/// need room for COUNT more.
#if VITRIFY_VECTOR_BYTES == 64

struct NodeLanes {
  static constexpr int COUNT = 8;
  using Ids = __m256i;
  using Reals = __m512d;

  static Ids ids(const int *from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)); }
  static Reals reals(const double *from) { return _mm512_loadu_pd(from); }
  static Reals all(double value) { return _mm512_set1_pd(value); }
  static Reals square_root(Reals x) { return _mm512_sqrt_pd(x); }
  static unsigned less(Reals a, Reals b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
  static unsigned greater(Ids a, int b) { return _mm256_cmpgt_epi32_mask(a, _mm256_set1_epi32(b)); }

  // A masked store is microcode on some processors.
  static int append(int *to, Ids values, unsigned mask)
  {
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(to),
                        _mm256_maskz_compress_epi32(static_cast<__mmask8>(mask), values));
    return __builtin_popcount(mask);
  }
  static void append(double *to, Reals values, unsigned mask)
  { _mm512_storeu_pd(to, _mm512_maskz_compress_pd(static_cast<__mmask8>(mask), values)); }
  static void append(float *to, Reals values, unsigned mask)
  { _mm256_storeu_ps(to, _mm512_cvtpd_ps(_mm512_maskz_compress_pd(static_cast<__mmask8>(mask), values))); }
};

#elif VITRIFY_VECTOR_BYTES == 32

// Permutations of four values that move those of a mask to the front.
alignas(16) constexpr int FRONT[16][4] = {
    {0, 0, 0, 0}, {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 1, 0, 0}, {2, 0, 0, 0}, {0, 2, 0, 0}, {1, 2, 0, 0}, {0, 1, 2, 0},
    {3, 0, 0, 0}, {0, 3, 0, 0}, {1, 3, 0, 0}, {0, 1, 3, 0}, {2, 3, 0, 0}, {0, 2, 3, 0}, {1, 2, 3, 0}, {0, 1, 2, 3}};

struct NodeLanes {
  static constexpr int COUNT = 4;
  using Ids = __m128i;
  using Reals = __m256d;

  static Ids ids(const int *from) { return _mm_loadu_si128(reinterpret_cast<const __m128i *>(from)); }
  static Reals reals(const double *from) { return _mm256_loadu_pd(from); }
  static Reals all(double value) { return _mm256_set1_pd(value); }
  static Reals square_root(Reals x) { return _mm256_sqrt_pd(x); }
  static unsigned less(Reals a, Reals b)
  { return static_cast<unsigned>(_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LT_OQ))); }
  static unsigned greater(Ids a, int b)
  { return static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(a, _mm_set1_epi32(b))))); }

  static Ids order_of(unsigned mask) { return _mm_load_si128(reinterpret_cast<const __m128i *>(FRONT[mask])); }
  static Reals sorted(Reals values, unsigned mask)
  {
    // Numbers of 64 bits can only be moved as pairs of 32: place k becomes 2 k and 2 k + 1.
    const __m256i twice = _mm256_slli_epi64(_mm256_cvtepu32_epi64(order_of(mask)), 1);
    const __m256i pairs = _mm256_or_si256(twice, _mm256_slli_epi64(_mm256_add_epi64(twice, _mm256_set1_epi64x(1)), 32));
    return _mm256_castsi256_pd(_mm256_permutevar8x32_epi32(_mm256_castpd_si256(values), pairs));
  }
  static int append(int *to, Ids values, unsigned mask)
  {
    const __m128i moved = _mm_castps_si128(_mm_permutevar_ps(_mm_castsi128_ps(values), order_of(mask)));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(to), moved);
    return __builtin_popcount(mask);
  }
  static void append(double *to, Reals values, unsigned mask) { _mm256_storeu_pd(to, sorted(values, mask)); }
  static void append(float *to, Reals values, unsigned mask)
  { _mm_storeu_ps(to, _mm256_cvtpd_ps(sorted(values, mask))); }
};

#else

struct NodeLanes {
  static constexpr int COUNT = 1;
  using Ids = int;
  using Reals = double;

  static Ids ids(const int *from) { return *from; }
  static Reals reals(const double *from) { return *from; }
  static Reals all(double value) { return value; }
  static Reals square_root(Reals x) { return root(x); }
  static unsigned less(Reals a, Reals b) { return a < b ? 1 : 0; }
  static unsigned greater(Ids a, int b) { return a > b ? 1 : 0; }

  static int append(int *to, Ids value, unsigned mask)
  {
    *to = value;
    return static_cast<int>(mask);
  }
  template <typename T> static void append(T *to, Reals value, unsigned) { *to = static_cast<T>(value); }
};

#endif

// The bits of the first n of COUNT nodes; n may be larger.
VITRIFY_INLINE unsigned first_bits(int n)
{
  constexpr unsigned whole = (1u << NodeLanes::COUNT) - 1;
  return n < NodeLanes::COUNT ? (1u << n) - 1 : whole;
}

}    // namespace

}    // namespace vitrify
