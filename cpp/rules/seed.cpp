// SPDX-License-Identifier: BSD-3-Clause
#include "rules/seed.h"

#include "base/error.h"

namespace vitrify {

std::string describe_wrong_seed(const std::string &seed, const std::string &name)
{ return name + " " + seed + " is not allowed: give an integer from 1 to " + std::to_string(LARGEST_SEED); }

std::uint32_t checked_seed(std::int64_t seed, const std::string &name, std::int64_t count)
{
  if (seed < 1 || seed > LARGEST_SEED) throw Error(describe_wrong_seed(std::to_string(seed), name));
  if (count > LARGEST_SEED - seed + 1)
    throw Error(name + " " + std::to_string(seed) + " with " + std::to_string(count) + " seeds in a row goes beyond " +
                std::to_string(LARGEST_SEED) + ": begin with a lower one");
  return static_cast<std::uint32_t>(seed);
}

}    // namespace vitrify
