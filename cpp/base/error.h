// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdexcept>

namespace vitrify {

/// Bad input: the message says what was given, what was wanted, and the remedy.
class Error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

}    // namespace vitrify
