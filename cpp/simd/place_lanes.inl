// SPDX-License-Identifier: BSD-3-Clause
// A few places at a time, local to each kernels.cpp.
#pragma once

#include "simd/math.inl"
#include "simd/vectors.inl"

namespace vitrify {

namespace {

/// Operations on COUNT nodes at a time: whole numbers, real numbers, and masks with a bit for each. `append` writes the
/// values of a mask one after the other; it may write up to COUNT values, so that arrays need room for COUNT more.
#if VITRIFY_VECTOR_BYTES == 64

struct PlaceLanes {
  static constexpr int COUNT = 16;
  using Wholes = __m512i;
  using Reals = __m512;

  static Wholes wholes(const int *from) { return _mm512_loadu_si512(from); }
  static Wholes all(int value) { return _mm512_set1_epi32(value); }
  static Reals all(float value) { return _mm512_set1_ps(value); }
  static Reals reals(const float *from) { return _mm512_loadu_ps(from); }
  static Reals difference(Wholes a, Wholes b) { return _mm512_cvtepi32_ps(_mm512_sub_epi32(a, b)); }
  static Reals square_root(Reals x) { return _mm512_sqrt_ps(x); }
  static unsigned less(Reals a, Reals b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  static unsigned greater(Wholes a, Wholes b) { return _mm512_cmpgt_epi32_mask(a, b); }
  // A masked store is microcode on some processors.
  static void append(int *to, Wholes values, unsigned mask)
  { _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), values)); }
  static void append(float *to, Reals values, unsigned mask)
  { _mm512_storeu_ps(to, _mm512_maskz_compress_ps(static_cast<__mmask16>(mask), values)); }
};

#elif VITRIFY_VECTOR_BYTES == 32

/// For each mask of eight values, the places of those in the mask.
struct Fronts {
  alignas(8) unsigned char places[256][8] = {};
  constexpr Fronts()
  {
    for (int mask = 0; mask < 256; ++mask)
      for (int k = 0, n = 0; k < 8; ++k)
        if (mask >> k & 1) places[mask][n++] = static_cast<unsigned char>(k);
  }
};
constexpr Fronts FRONTS;

struct PlaceLanes {
  static constexpr int COUNT = 8;
  using Wholes = __m256i;
  using Reals = __m256;

  static Wholes wholes(const int *from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)); }
  static Wholes all(int value) { return _mm256_set1_epi32(value); }
  static Reals all(float value) { return _mm256_set1_ps(value); }
  static Reals reals(const float *from) { return _mm256_loadu_ps(from); }
  static Reals difference(Wholes a, Wholes b) { return _mm256_cvtepi32_ps(_mm256_sub_epi32(a, b)); }
  static Reals square_root(Reals x) { return _mm256_sqrt_ps(x); }
  static unsigned less(Reals a, Reals b)
  { return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ))); }
  static unsigned greater(Wholes a, Wholes b)
  { return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b)))); }

  static Wholes front(unsigned mask)
  { return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(FRONTS.places[mask]))); }
  static void append(int *to, Wholes values, unsigned mask)
  { _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), _mm256_permutevar8x32_epi32(values, front(mask))); }
  static void append(float *to, Reals values, unsigned mask)
  { _mm256_storeu_ps(to, _mm256_permutevar8x32_ps(values, front(mask))); }
};

#else

struct PlaceLanes {
  static constexpr int COUNT = 1;
  using Wholes = int;
  using Reals = float;

  static Wholes wholes(const int *from) { return *from; }
  static Wholes all(int value) { return value; }
  static Reals all(float value) { return value; }
  static Reals reals(const float *from) { return *from; }
  // Without signs, which may run over.
  static Reals difference(Wholes a, Wholes b)
  { return static_cast<Reals>(static_cast<int>(static_cast<unsigned>(a) - static_cast<unsigned>(b))); }
  static Reals square_root(Reals x) { return root(x); }
  static unsigned less(Reals a, Reals b) { return a < b ? 1 : 0; }
  static unsigned greater(Wholes a, Wholes b) { return a > b ? 1 : 0; }
  static void append(int *to, Wholes value, unsigned) { *to = value; }
  static void append(float *to, Reals value, unsigned) { *to = value; }
};

#endif

// The bits of the first n of COUNT places; n may be larger.
VITRIFY_INLINE unsigned first_places(int n)
{
  constexpr unsigned whole = (1u << PlaceLanes::COUNT) - 1;
  return n < PlaceLanes::COUNT ? (1u << n) - 1 : whole;
}

}    // namespace

}    // namespace vitrify
