// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

// Products of small matrices. Plain data: see simd/instruction_set.h.

namespace vitrify {

/// y (rows, width) += x (rows, inner) w (inner, width); width: whole vectors.
template <typename T> struct Product {
  int rows, inner, width;
  const T *x, *w;
  std::ptrdiff_t x_stride;
  T *y;
};

}    // namespace vitrify
