// SPDX-License-Identifier: BSD-3-Clause
// Vectors of values, local to each kernels.cpp.
#pragma once

#include "simd/sizes.h"

#if VITRIFY_VECTOR_BYTES >= 32
#include <immintrin.h>
#endif

namespace vitrify {

namespace {

#define VITRIFY_INLINE inline __attribute__((always_inline))

/// N values of T in vectors of up to VITRIFY_VECTOR_BYTES, which the processor has. The compiler takes longer vectors,
/// too, but moves them through memory.
template <typename T, int N> struct Pack {
  static constexpr int WHOLE = N * static_cast<int>(sizeof(T));
  static constexpr int BYTES = WHOLE < VITRIFY_VECTOR_BYTES ? WHOLE : VITRIFY_VECTOR_BYTES;
  static constexpr int PARTS = WHOLE / BYTES, WIDTH = N / PARTS;
  typedef T Native __attribute__((vector_size(BYTES)));
  Native part[PARTS];

  static VITRIFY_INLINE Pack all(T value)
  {
    Pack pack;
    for (int q = 0; q < PARTS; ++q) pack.part[q] = Native{} + value;
    return pack;
  }
  VITRIFY_INLINE T operator[](int k) const { return part[k / WIDTH][k % WIDTH]; }
  VITRIFY_INLINE Pack &operator+=(const Pack &other)
  {
    for (int q = 0; q < PARTS; ++q) part[q] += other.part[q];
    return *this;
  }
};

template <typename T, int N> VITRIFY_INLINE Pack<T, N> operator+(Pack<T, N> a, const Pack<T, N> &b)
{ return a += b; }

template <typename T, int N> VITRIFY_INLINE Pack<T, N> operator-(Pack<T, N> a, const Pack<T, N> &b)
{
  for (int q = 0; q < a.PARTS; ++q) a.part[q] -= b.part[q];
  return a;
}

template <typename T, int N> VITRIFY_INLINE Pack<T, N> operator*(Pack<T, N> a, T b)
{
  for (int q = 0; q < a.PARTS; ++q) a.part[q] *= b;
  return a;
}

template <typename T, int N> VITRIFY_INLINE Pack<T, N> operator*(Pack<T, N> a, const Pack<T, N> &b)
{
  for (int q = 0; q < a.PARTS; ++q) a.part[q] *= b.part[q];
  return a;
}

template <typename P, typename T> VITRIFY_INLINE P load(const T *from)
{
  P pack;
  for (int q = 0; q < P::PARTS; ++q) __builtin_memcpy(&pack.part[q], from + q * P::WIDTH, P::BYTES);
  return pack;
}

template <typename T, int N> VITRIFY_INLINE void store(T *to, const Pack<T, N> &pack)
{
  for (int q = 0; q < pack.PARTS; ++q) __builtin_memcpy(to + q * pack.WIDTH, &pack.part[q], pack.BYTES);
}

template <typename U, typename T> VITRIFY_INLINE Pack<U, 4> converted(const Pack<T, 4> &from)
{
  Pack<U, 4> to;
#if VITRIFY_VECTOR_BYTES >= 32
  // The compiler turns __builtin_convertvector into four instructions in place of one.
  if constexpr (sizeof(T) < sizeof(U))
    to.part[0] = _mm256_cvtps_pd(from.part[0]);
  else if constexpr (sizeof(T) > sizeof(U))
    to.part[0] = _mm256_cvtpd_ps(from.part[0]);
  else
#endif
    for (int k = 0; k < 4; ++k) to.part[k / to.WIDTH][k % to.WIDTH] = static_cast<U>(from[k]);
  return to;
}

template <typename T> struct Vector {
  static constexpr int LENGTH = VITRIFY_VECTOR_BYTES / static_cast<int>(sizeof(T));
  typedef T Type __attribute__((vector_size(VITRIFY_VECTOR_BYTES)));
};

template <typename T> VITRIFY_INLINE typename Vector<T>::Type load_vector(const T *from)
{
  typename Vector<T>::Type vector;
  __builtin_memcpy(&vector, from, sizeof(vector));
  return vector;
}

template <typename T> VITRIFY_INLINE void store_vector(T *to, const typename Vector<T>::Type &vector)
{ __builtin_memcpy(to, &vector, sizeof(vector)); }

template <typename T> using Four = Pack<T, 4>;
template <typename T> using Lanes = Pack<T, LANES>;
using Double4 = Pack<double, 4>;

// The values of `from` at four places; the compiler makes one shuffle of it where the processor has one.
template <int A, int B, int C, int D, typename T> VITRIFY_INLINE Four<T> picked(const Four<T> &from)
{
  Four<T> to;
  if constexpr (Four<T>::PARTS == 1)
    to.part[0] = typename Four<T>::Native{from[A], from[B], from[C], from[D]};
  else {
    to.part[0] = typename Four<T>::Native{from[A], from[B]};
    to.part[1] = typename Four<T>::Native{from[C], from[D]};
  }
  return to;
}

}    // namespace

}    // namespace vitrify
