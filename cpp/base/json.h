// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>

namespace vitrify {

// LAMMPS renames the library's namespace, so that it does not clash with a host's own copy.
#ifdef LMP_NLOHMANN_JSON_NAMESPACE
using json = nlohmann_lmp::json;
#else
using json = nlohmann::json;
#endif

}    // namespace vitrify
