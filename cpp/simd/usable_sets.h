// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Apart from instruction_set.h, which kernels include and which therefore holds plain data alone.

#include <string>
#include <vector>

namespace vitrify {

/// The names of the instruction sets that the processor has, the widest last: each may stand in VITRIFY_SIMD.
std::vector<std::string> usable_instruction_sets();

}    // namespace vitrify
