// SPDX-License-Identifier: BSD-3-Clause
// Values that change places within and between vectors, local to each kernels.cpp.
#pragma once

#include "simd/vectors.inl"

namespace vitrify {

namespace {

// The values at some places of two vectors, those of `b` counted on from those of `a`.
template <int... PLACES, typename V> VITRIFY_INLINE V shuffled(const V &a, const V &b)
{
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(a, b, PLACES...);
#else
  constexpr int COUNT = sizeof...(PLACES);
  return V{(PLACES < COUNT ? a[PLACES % COUNT] : b[PLACES % COUNT])...};
#endif
}

// Turns four rows of four values into columns. Vectors of eight values hold two such matrices side by side. Left to
// itself, the compiler reads columns of rows in memory with permutations that cost several times as much.
template <typename V> VITRIFY_INLINE void transpose(V (&rows)[4])
{
  V a, b, c, d;
  if constexpr (sizeof(V) / sizeof(rows[0][0]) == 8) {
    a = shuffled<0, 8, 1, 9, 4, 12, 5, 13>(rows[0], rows[1]),
    b = shuffled<2, 10, 3, 11, 6, 14, 7, 15>(rows[0], rows[1]);
    c = shuffled<0, 8, 1, 9, 4, 12, 5, 13>(rows[2], rows[3]),
    d = shuffled<2, 10, 3, 11, 6, 14, 7, 15>(rows[2], rows[3]);
    rows[0] = shuffled<0, 1, 8, 9, 4, 5, 12, 13>(a, c), rows[1] = shuffled<2, 3, 10, 11, 6, 7, 14, 15>(a, c);
    rows[2] = shuffled<0, 1, 8, 9, 4, 5, 12, 13>(b, d), rows[3] = shuffled<2, 3, 10, 11, 6, 7, 14, 15>(b, d);
  } else {
    a = shuffled<0, 4, 1, 5>(rows[0], rows[1]), b = shuffled<2, 6, 3, 7>(rows[0], rows[1]);
    c = shuffled<0, 4, 1, 5>(rows[2], rows[3]), d = shuffled<2, 6, 3, 7>(rows[2], rows[3]);
    rows[0] = shuffled<0, 1, 4, 5>(a, c), rows[1] = shuffled<2, 3, 6, 7>(a, c);
    rows[2] = shuffled<0, 1, 4, 5>(b, d), rows[3] = shuffled<2, 3, 6, 7>(b, d);
  }
}

}    // namespace

}    // namespace vitrify
