// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/json.h"

#include <string_view>

namespace vitrify {

/// The value of a JSON text in UTF-8; throws json::exception if it is none, and Error if a key stands twice in an
/// object or values are nested deeper than 64.
json parse_json(std::string_view text);

/// A whole number from `least` to `most`; throws Error, with `name`, if the value is something else.
int whole_number(const json &value, const char *name, int least, int most);

}    // namespace vitrify
