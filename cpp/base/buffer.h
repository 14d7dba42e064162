// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace vitrify {

/// An array of plain data on a cache line's boundary, not initialised, that keeps its memory when it shrinks. Growth
/// leaves slack, so that a run whose numbers fluctuate stops allocating after its first steps.
template <typename T> class Buffer {
public:
  Buffer() = default;
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  Buffer(Buffer &&other) noexcept : data_(other.data_), capacity_(other.capacity_)
  {
    other.data_ = nullptr;
    other.capacity_ = 0;
  }
  ~Buffer() { std::free(data_); }

  /// Space for `size` values, of which the first `keep` stay as they are.
  void reserve(std::size_t size, std::size_t keep = 0)
  {
    if (size <= capacity_) return;
    const std::size_t wanted = size + size / 8 + LINE;
    if (wanted > (static_cast<std::size_t>(-1) - LINE) / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = (wanted * sizeof(T) + LINE - 1) / LINE * LINE;
    auto *data = static_cast<T *>(std::aligned_alloc(LINE, bytes));
    if (!data) throw std::bad_alloc();
    if (keep > 0) std::memcpy(static_cast<void *>(data), data_, keep * sizeof(T));
    std::free(data_);
    data_ = data;
    capacity_ = bytes / sizeof(T);
  }

  T *data() { return data_; }
  const T *data() const { return data_; }
  T &operator[](std::size_t k) { return data_[k]; }
  const T &operator[](std::size_t k) const { return data_[k]; }
  std::size_t bytes() const { return capacity_ * sizeof(T); }

private:
  static constexpr std::size_t LINE = 64;
  T *data_ = nullptr;
  std::size_t capacity_ = 0;
};

}    // namespace vitrify
