// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace vitrify {

/// A number with this many significant digits and a decimal point, whatever the host's language.
std::string number(double value, int digits = 4);

/// The same, with as many more digits as it takes to tell the value from two others.
std::string number_beside(double value, double one, double other);

}    // namespace vitrify
