// SPDX-License-Identifier: BSD-3-Clause
// Vectors of whole numbers for sums, local to kernels.cpp.
#pragma once

#include "simd/vectors.inl"

#include <cstdint>

#if defined(__SSE2__) && VITRIFY_VECTOR_BYTES < 32
#include <emmintrin.h>
#endif

namespace vitrify {

namespace {

/// Densities, or the forces of two channels, x, y, z and 0 of each. Sums of whole numbers are exact in any order, so
/// that pairs that two threads or two ranks compute each for itself cancel to the last bit, and they take half the
/// instructions that sums in double precision take. Without signs, because sums may leave the range and come back, or
/// leave it before anybody finds out.
using Wholes = Pack<std::uint32_t, LANES>;

VITRIFY_INLINE void add_to(std::int32_t *sums, const Wholes &values)
{ store(reinterpret_cast<std::uint32_t *>(sums), load<Wholes>(sums) + values); }
VITRIFY_INLINE void subtract_from(std::int32_t *sums, const Wholes &values)
{ store(reinterpret_cast<std::uint32_t *>(sums), load<Wholes>(sums) - values); }

// Values 2 HALF and 2 HALF + 1 of four, each four times.
template <int HALF> VITRIFY_INLINE Lanes<float> spread(const Four<float> &from)
{
  Lanes<float> to;
#if VITRIFY_VECTOR_BYTES >= 32
  constexpr int A = 2 * HALF, B = A + 1;
  to.part[0] =
      _mm256_permutevar8x32_ps(_mm256_castps128_ps256(from.part[0]), _mm256_setr_epi32(A, A, A, A, B, B, B, B));
#else
  to.part[0] = Four<float>::Native{} + from[2 * HALF];
  to.part[1] = Four<float>::Native{} + from[2 * HALF + 1];
#endif
  return to;
}

// The same four values twice.
VITRIFY_INLINE Lanes<float> twice(const float *from)
{
  Lanes<float> to;
#if VITRIFY_VECTOR_BYTES >= 32
  to.part[0] = _mm256_broadcast_ps(reinterpret_cast<const __m128 *>(from));
#else
  to.part[0] = to.part[1] = load<Four<float>>(from).part[0];
#endif
  return to;
}

VITRIFY_INLINE Four<float> first_four(const Lanes<float> &from)
{
  Four<float> to;
#if VITRIFY_VECTOR_BYTES >= 32
  to.part[0] = _mm256_castps256_ps128(from.part[0]);
#else
  to.part[0] = from.part[0];
#endif
  return to;
}

// To the nearest whole numbers.
VITRIFY_INLINE Wholes rounded(const Lanes<float> &from)
{
  Wholes to;
#if VITRIFY_VECTOR_BYTES >= 32
  to.part[0] = reinterpret_cast<Wholes::Native>(_mm256_cvtps_epi32(from.part[0]));
#elif defined(__SSE2__)
  for (int q = 0; q < 2; ++q) to.part[q] = reinterpret_cast<Wholes::Native>(_mm_cvtps_epi32(from.part[q]));
#else
  for (int q = 0; q < to.PARTS; ++q)
    for (int k = 0; k < to.WIDTH; ++k)
      to.part[q][k] = static_cast<std::uint32_t>(static_cast<std::int64_t>(__builtin_rintf(from.part[q][k])));
#endif
  return to;
}

// The magnitudes of the first COUNT values, the others as they are.
template <int COUNT> VITRIFY_INLINE Lanes<float> with_magnitudes(Lanes<float> from)
{
  constexpr std::uint32_t SIGN = 0x80000000u;
  constexpr std::uint32_t MASK[LANES] = {~(COUNT > 0 ? SIGN : 0u),
                                    ~(COUNT > 1 ? SIGN : 0u),
                                    ~(COUNT > 2 ? SIGN : 0u),
                                    ~(COUNT > 3 ? SIGN : 0u),
                                    ~0u,
                                    ~0u,
                                    ~0u,
                                    ~0u};
  const Wholes mask = load<Wholes>(MASK);
  for (int q = 0; q < from.PARTS; ++q)
    from.part[q] =
        reinterpret_cast<Lanes<float>::Native>(reinterpret_cast<Wholes::Native>(from.part[q]) & mask.part[q]);
  return from;
}

}    // namespace

}    // namespace vitrify
