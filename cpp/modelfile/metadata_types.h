// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/json.h"

namespace vitrify {

/// Throws Error unless the parts of vitrify.json have the types that Python requires, of what hosts do not read, too:
/// objects, texts, ranges of two numbers, rows of three. So that one file is good or bad for all.
void check_types(const json &document);

}    // namespace vitrify
