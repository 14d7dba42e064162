// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/random_streams.h"

#include <array>
#include <cmath>
#include <cstdint>

namespace vitrify {

/// Philox4x32-10 (Salmon et al., SC11): 4 random words that depend on nothing but a counter and a key, so that an
/// atom's noise does not depend on the rank that owns it.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key)
{
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xd2511f53U} * counter[0];
    const std::uint64_t b = std::uint64_t{0xcd9e8d57U} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9e3779b9U;
    key[1] += 0xbb67ae85U;
  }
  return counter;
}

/// 3 independent standard normal numbers (Box-Muller).
inline std::array<double, 3> normal3(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key)
{
  constexpr double SCALE = 1.0 / 4294967296.0;
  constexpr double TWO_PI = 6.28318530717958647692;
  const auto words = philox(counter, key);
  const double radius0 = std::sqrt(-2.0 * std::log((words[0] + 0.5) * SCALE));
  const double radius1 = std::sqrt(-2.0 * std::log((words[2] + 0.5) * SCALE));
  const double angle0 = TWO_PI * words[1] * SCALE;
  const double angle1 = TWO_PI * words[3] * SCALE;
  return {radius0 * std::cos(angle0), radius0 * std::sin(angle0), radius1 * std::cos(angle1)};
}

/// The same for an atom, by its ID as LAMMPS counts, in a step: equal in every host.
inline std::array<double, 3> normal3(std::uint64_t id, std::uint64_t step, std::uint32_t seed, Stream stream)
{
  return normal3({static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32),
                  static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32)},
                 {seed, static_cast<std::uint32_t>(stream)});
}

/// A number between 0 and 1, exclusively: the `counter`-th of one stream of one seed.
inline double uniform(std::uint32_t counter, std::uint32_t seed, Stream stream)
{
  constexpr double SCALE = 1.0 / 4294967296.0;
  return (philox({counter, 0, 0, 0}, {seed, static_cast<std::uint32_t>(stream)})[0] + 0.5) * SCALE;
}

}    // namespace vitrify
