// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace vitrify {

/// Operators that a model may use ("aten::add"), sorted: they compute on their arguments and touch nothing else.
/// Whatever is not listed is refused: files, printing, Python, unchecked memory, custom classes.
const std::vector<std::string> &allowed_operators();

bool is_allowed_operator(const std::string &name);

}    // namespace vitrify
