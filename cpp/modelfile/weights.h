// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vitrify {

/// The tensors of a safetensors file: an 8-byte length, a JSON header, and the values, all little-endian.
/// Only float32 and float64 are read. Every offset is checked against the bytes that are there.
class Weights {
public:
  /// Reads the header; throws Error, without the name of the file, if it is damaged. `bytes` must outlive this object.
  explicit Weights(std::string_view bytes);

  /// The values of a tensor in double; throws Error if it is missing, has another shape, or is not finite.
  std::vector<double> tensor(const std::string &name, const std::vector<std::size_t> &shape) const;

private:
  struct Entry {
    bool is_double = false;
    std::vector<std::size_t> shape;
    std::string_view bytes;
  };
  std::map<std::string, Entry> entries_;
};

}    // namespace vitrify
