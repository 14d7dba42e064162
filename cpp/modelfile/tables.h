// SPDX-License-Identifier: BSD-3-Clause
// Tensors of a file laid out for kernels of precision T: converted, padded with zeros and transposed.
#pragma once

#include <cstddef>
#include <vector>

namespace vitrify {

/// Columns of an array, rounded up to whole vectors of `lanes` values.
inline int rounded_up(int columns, int lanes)
{ return (columns + lanes - 1) / lanes * lanes; }

template <typename T> std::vector<T> converted(const std::vector<double> &values)
{ return std::vector<T>(values.begin(), values.end()); }

/// One side of a matrix: `parts` blocks of `channels` rows or columns, each of them padded to `width`.
struct Side {
  int parts, channels, width;

  int count() const { return parts * channels; }
  int size() const { return parts * width; }
  int place(int k) const { return k / channels * width + k % channels; }
};

/// A matrix (rows, columns), padded with zeros.
template <typename T> std::vector<T> padded(const std::vector<double> &values, Side rows, Side columns)
{
  std::vector<T> to(static_cast<std::size_t>(rows.size()) * static_cast<std::size_t>(columns.size()));
  std::size_t from = 0;
  for (int r = 0; r < rows.count(); ++r)
    for (int c = 0; c < columns.count(); ++c) {
      const auto row = static_cast<std::size_t>(rows.place(r)), column = static_cast<std::size_t>(columns.place(c));
      to[row * static_cast<std::size_t>(columns.size()) + column] = static_cast<T>(values[from++]);
    }
  return to;
}

/// The transpose of a matrix (rows, columns), padded with zeros.
template <typename T> std::vector<T> transposed(const std::vector<double> &values, Side rows, Side columns)
{
  std::vector<T> to(static_cast<std::size_t>(rows.size()) * static_cast<std::size_t>(columns.size()));
  std::size_t from = 0;
  for (int r = 0; r < rows.count(); ++r)
    for (int c = 0; c < columns.count(); ++c) {
      const auto row = static_cast<std::size_t>(rows.place(r)), column = static_cast<std::size_t>(columns.place(c));
      to[column * static_cast<std::size_t>(rows.size()) + row] = static_cast<T>(values[from++]);
    }
  return to;
}

/// Rows of `columns` values, each padded with zeros to `width`.
template <typename T> std::vector<T> padded_rows(const std::vector<double> &values, int columns, int width)
{
  const int rows = static_cast<int>(values.size() / static_cast<std::size_t>(columns));
  return padded<T>(values, {1, rows, rows}, {1, columns, width});
}

}    // namespace vitrify
