// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

namespace vitrify {

/// Index of the unordered pair of species a, b in arrays with one value for each pair.
inline std::size_t pair_of_species(int a, int b)
{
  const auto high = static_cast<std::size_t>(a > b ? a : b);
  const auto low = static_cast<std::size_t>(a > b ? b : a);
  return high * (high + 1) / 2 + low;
}

}    // namespace vitrify
