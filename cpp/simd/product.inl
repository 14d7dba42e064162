// SPDX-License-Identifier: BSD-3-Clause
// Products of small matrices, local to each kernels.cpp.
#pragma once

#include "simd/product.h"
#include "simd/vectors.inl"

namespace vitrify {

namespace {

#if VITRIFY_VECTOR_BYTES == 64
constexpr int SUM_REGISTERS = 24;
#else
constexpr int SUM_REGISTERS = 12;
#endif
constexpr int MAX_PARTS = 3;

constexpr int most_rows(int parts)
{ return SUM_REGISTERS / parts < 12 ? SUM_REGISTERS / parts : 12; }

// y (ROWS, PARTS vectors) += x (ROWS, inner) w (inner, PARTS vectors), all sums in registers. With `picked` row k of w
// is row picked[k]. X_STRIDE is 0 if the compiler does not know it; values of a row of x are X_STEP apart.
template <typename T, int ROWS, int PARTS, bool PICKED, int X_STRIDE, int X_STEP>
void product_block(const T *x, std::ptrdiff_t x_stride, const T *w, const int *picked, T *y, std::ptrdiff_t width,
                   int inner)
{
  using V = typename Vector<T>::Type;
  const std::ptrdiff_t stride = X_STRIDE ? X_STRIDE : x_stride;
  V sums[ROWS][PARTS];
  for (int r = 0; r < ROWS; ++r)
    for (int q = 0; q < PARTS; ++q) sums[r][q] = load_vector(y + r * width + q * Vector<T>::LENGTH);
  for (int k = 0; k < inner; ++k) {
    const T *row = w + (PICKED ? static_cast<std::ptrdiff_t>(picked[k]) : k) * width;
    V values[PARTS];
    for (int q = 0; q < PARTS; ++q) values[q] = load_vector(row + q * Vector<T>::LENGTH);
    for (int r = 0; r < ROWS; ++r) {
      const T factor = x[r * stride + static_cast<std::ptrdiff_t>(k) * X_STEP];
      for (int q = 0; q < PARTS; ++q) sums[r][q] += values[q] * factor;
    }
  }
  for (int r = 0; r < ROWS; ++r)
    for (int q = 0; q < PARTS; ++q) store_vector(y + r * width + q * Vector<T>::LENGTH, sums[r][q]);
}

template <typename T, int ROWS, int PARTS, bool PICKED, int X_STRIDE, int X_STEP>
VITRIFY_INLINE void product_rows(int rows, const T *x, std::ptrdiff_t x_stride, const T *w, const int *picked, T *y,
                                 std::ptrdiff_t width, int inner)
{
  if (rows == ROWS)
    product_block<T, ROWS, PARTS, PICKED, X_STRIDE, X_STEP>(x, x_stride, w, picked, y, width, inner);
  else if constexpr (ROWS > 1)
    product_rows<T, ROWS - 1, PARTS, PICKED, X_STRIDE, X_STEP>(rows, x, x_stride, w, picked, y, width, inner);
}

// Blocks of rows of about the same height.
template <typename T, int PARTS, bool PICKED, int X_STRIDE, int X_STEP>
void product_panel(int rows, const T *x, std::ptrdiff_t x_stride, const T *w, const int *picked, T *y,
                   std::ptrdiff_t width, int inner)
{
  const int blocks = (rows + most_rows(PARTS) - 1) / most_rows(PARTS);
  for (int b = 0; b < blocks; ++b) {
    const int first = rows * b / blocks, last = rows * (b + 1) / blocks;
    product_rows<T, most_rows(PARTS), PARTS, PICKED, X_STRIDE, X_STEP>(last - first, x + first * x_stride, x_stride, w,
                                                                       picked, y + first * width, width, inner);
  }
}

// y (rows, width) += x (rows, inner) w (inner, width), or of the picked rows of w; width: whole vectors.
template <typename T, bool PICKED, int X_STRIDE, int X_STEP = 1>
inline void product(int rows, int inner, int width, const T *x, std::ptrdiff_t x_stride, const T *w, const int *picked,
                    T *y)
{
  constexpr int length = Vector<T>::LENGTH;
  for (int first = 0; first < width;) {
    const int parts = (width - first) / length;
    // Four are two and two.
    const int now = parts == 4 ? 2 : parts < MAX_PARTS ? parts : MAX_PARTS;
    if (now == 1)
      product_panel<T, 1, PICKED, X_STRIDE, X_STEP>(rows, x, x_stride, w + first, picked, y + first, width, inner);
    else if (now == 2)
      product_panel<T, 2, PICKED, X_STRIDE, X_STEP>(rows, x, x_stride, w + first, picked, y + first, width, inner);
    else
      product_panel<T, 3, PICKED, X_STRIDE, X_STEP>(rows, x, x_stride, w + first, picked, y + first, width, inner);
    first += now * length;
  }
}

template <typename T> void fill_rows(int rows, int width, const T *row, T *to)
{
  for (int i = 0; i < rows; ++i)
    for (int c = 0; c < width; ++c) *to++ = row[c];
}

template <typename T> void multiply(const Product<T> &p)
{ product<T, false, 0>(p.rows, p.inner, p.width, p.x, p.x_stride, p.w, nullptr, p.y); }

}    // namespace

}    // namespace vitrify
