// SPDX-License-Identifier: BSD-3-Clause
#include "simd/instruction_set.h"

#include "base/error.h"
#include "simd/usable_sets.h"

#include <cstdlib>

namespace vitrify {

namespace {

struct Choice {
  InstructionSet set;
  const char *name;
};

// What this processor can run, the widest last.
std::vector<Choice> usable_sets()
{
  std::vector<Choice> usable{{InstructionSet::baseline, "default"}};
#ifdef VITRIFY_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) usable.push_back({InstructionSet::avx2, "avx2"});
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd"))
    usable.push_back({InstructionSet::avx512, "avx512"});
#endif
  return usable;
}

Choice choose()
{
  const std::vector<Choice> usable = usable_sets();
  const char *wanted = std::getenv("VITRIFY_SIMD");
  if (!wanted || !*wanted) return usable.back();
  std::string names;
  for (const Choice &choice : usable) {
    if (std::string(wanted) == choice.name) return choice;
    names += (names.empty() ? "" : ", ") + std::string(choice.name);
  }
  throw Error("VITRIFY_SIMD is " + std::string(wanted) + ": this machine can use " + names);
}

}    // namespace

InstructionSet choose_instruction_set()
{ return choose().set; }

std::vector<std::string> usable_instruction_sets()
{
  std::vector<std::string> names;
  for (const Choice &choice : usable_sets()) names.emplace_back(choice.name);
  return names;
}

const char *native_instruction_set()
{ return choose().name; }

}    // namespace vitrify
