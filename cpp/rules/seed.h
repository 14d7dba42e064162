// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

namespace vitrify {

/// Seeds are positive integers that LAMMPS reads: one seed then gives the same numbers in every host.
constexpr std::int64_t LARGEST_SEED = 2147483647;

/// The seed as random numbers take it. Throws Error, which begins with `name`, for a seed that is out of range, or that
/// has no `count` - 1 seeds after it.
std::uint32_t checked_seed(std::int64_t seed, const std::string &name = "seed", std::int64_t count = 1);

/// What is said of a seed that is no integer, or out of range.
std::string describe_wrong_seed(const std::string &seed, const std::string &name = "seed");

}    // namespace vitrify
