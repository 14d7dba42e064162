// SPDX-License-Identifier: BSD-3-Clause
// A TorchScript program may do anything while it is loaded and run, so that torch gets only programs of known files.
#pragma once

#include <string>

namespace vitrify {

/// The user's list of trusted files: $XDG_CONFIG_HOME/vitrify/trusted, else ~/.config/vitrify/trusted; empty if neither
/// folder is known. A line is a SHA-256 in hexadecimal digits, and perhaps a name after a space.
std::string trusted_list();

/// True if a file of this SHA-256 comes with vitrify, or is on the user's list. A list that others may write does not
/// count.
bool is_trusted(const std::string &sha256);

}    // namespace vitrify
