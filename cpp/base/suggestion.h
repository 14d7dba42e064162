// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace vitrify {

/// " (did you mean x?)" for the choice that is spelled most like `given`, or "" if none is.
std::string did_you_mean(const std::string &given, const std::vector<std::string> &choices);

/// Words in a row, with `separator` between them.
std::string joined(const std::vector<std::string> &words, const char *separator = " ");

}    // namespace vitrify
