// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/buffer.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace vitrify {

/// Counts the bytes of the arrays that belong to it, so that nobody keeps a list of them:
///
///     struct Sums : Workspace {
///       Array<double> forces{*this}, virials{*this};
///     };
///
/// It stays where it was made, because its arrays refer to it. Only one thread at a time may change their sizes.
class Workspace {
public:
  Workspace() = default;
  Workspace(const Workspace &) = delete;
  Workspace &operator=(const Workspace &) = delete;

  std::size_t bytes() const { return bytes_; }

  /// A Buffer whose bytes its owner counts.
  template <typename T> class Array {
  public:
    Array(Workspace &owner) : bytes_(owner.bytes_) {}
    Array(const Array &) = delete;
    Array &operator=(const Array &) = delete;

    /// Space for `size` values, of which the first `keep` stay as they are.
    void reserve(std::size_t size, std::size_t keep = 0)
    {
      const std::size_t before = buffer_.bytes();
      buffer_.reserve(size, keep);
      bytes_ += buffer_.bytes() - before;
    }
    /// Space for `size` values, which all become `value`.
    void fill(std::size_t size, T value)
    {
      reserve(size);
      std::fill_n(buffer_.data(), size, value);
    }
    Array &operator=(const std::vector<T> &values)
    {
      reserve(values.size());
      std::copy(values.begin(), values.end(), buffer_.data());
      return *this;
    }
    T *data() { return buffer_.data(); }
    const T *data() const { return buffer_.data(); }
    T &operator[](std::size_t k) { return buffer_[k]; }
    const T &operator[](std::size_t k) const { return buffer_[k]; }

  private:
    std::size_t &bytes_;
    Buffer<T> buffer_;
  };

private:
  std::size_t bytes_ = 0;
};

}    // namespace vitrify
