// SPDX-License-Identifier: BSD-3-Clause
// Square roots and exponentials, local to each kernels.cpp.
#pragma once

#include <cstdint>

namespace vitrify {

namespace {

inline float root(float x)
{ return __builtin_sqrtf(x); }
inline double root(double x)
{ return __builtin_sqrt(x); }

template <typename T> struct Exponential;

template <> struct Exponential<float> {
  using Bits = std::int32_t;
  static constexpr float least = -87.0f, most = 87.0f, magic = 12582912.0f;    // 1.5 * 2^23: rounds to an integer
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr int terms = 7, mantissa = 23, bias = 127;
};

template <> struct Exponential<double> {
  using Bits = std::int64_t;
  static constexpr double least = -700.0, most = 700.0, magic = 6755399441055744.0;    // 1.5 * 2^52
  static constexpr double ln2_high = 0.693147180369123816490, ln2_low = 1.90821492927058770002e-10;
  static constexpr int terms = 13, mantissa = 52, bias = 1023;
};

// exp(x) = 2^n exp(r), |r| <= ln 2 / 2, with a Taylor series of exp(r) to machine precision; vectorises.
template <typename T> inline T exponential(T x)
{
  using E = Exponential<T>;
  using Bits = typename E::Bits;
  x = x > E::least ? x : E::least;
  x = x < E::most ? x : E::most;
  const T shifted = x * T(1.4426950408889634) + E::magic;
  const T n = shifted - E::magic;
  const T r = (x - n * E::ln2_high) - n * E::ln2_low;
  T sum = T(1);
#pragma GCC unroll 16
  for (int k = E::terms; k > 0; --k) sum = T(1) + sum * r * (T(1) / T(k));
  Bits exponent = static_cast<Bits>(n) + E::bias;
  exponent <<= E::mantissa;
  T power;
  __builtin_memcpy(&power, &exponent, sizeof(power));
  return sum * power;
}

}    // namespace

}    // namespace vitrify
