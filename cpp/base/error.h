// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdexcept>
#include <string>

namespace vitrify {

/// The text on one line: control characters, and bytes that are no UTF-8, become escapes such as \x1b.
std::string printable(const std::string &text);

/// Bad input: the message, made `printable`, says what was given, what was wanted, and the remedy.
class Error : public std::runtime_error {
public:
  explicit Error(const std::string &message) : std::runtime_error(printable(message)) {}
};

}    // namespace vitrify
