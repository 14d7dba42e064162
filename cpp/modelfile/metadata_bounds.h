// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/json.h"
#include "modelfile/metadata.h"

namespace vitrify {

/// Throws Error if a number of vitrify.json would make a host run for ever or take all memory: sizes, distances that no
/// matter of this density has, charges and masses that no ion has, ranges that are empty.
void check_bounds(const json &document, const Metadata &metadata);

}    // namespace vitrify
