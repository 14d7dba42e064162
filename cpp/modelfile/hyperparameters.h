// SPDX-License-Identifier: BSD-3-Clause
// Checks of hyperparameters that all models of the native engine share; weights.cpp checks the tensors.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "modelfile/model_file.h"

#include <cmath>
#include <string>

namespace vitrify {

// Larger numbers are damage; the sizes of the tensors bound memory, this keeps products of sizes from overflowing.
constexpr int MAX_SIZE = 4096;

/// A hyperparameter that is a whole number from `least` to `most`; throws Error if it is not.
inline int size_of(const json &document, const char *key, int least, int most = MAX_SIZE)
{
  const auto value = document.at(key).get<double>();
  if (!(value >= least && value <= most) || value != std::floor(value))
    throw Error(std::string("the hyperparameter ") + key + " is " + document.at(key).dump() + ", not a number from " +
                std::to_string(least) + " to " + std::to_string(most) + ": export the model again");
  return static_cast<int>(value);
}

/// Throws Error if the hyperparameters make another `node_width` than the metadata say.
inline void check_node_width(const Metadata &metadata, int width)
{
  if (metadata.node_width != width)
    throw Error("node_width is " + std::to_string(metadata.node_width) + ", but its hyperparameters make it " +
                std::to_string(width) + ": export the model again");
}

/// Calls `read`; whatever it throws becomes an Error that begins with the path of the file.
template <typename Read> void read_checked(const ModelFile &file, Read &&read)
{
  try {
    read();
  } catch (const Error &error) {
    throw Error("model file " + file.path() + ": " + error.what());
  } catch (const json::exception &error) {
    throw Error("model file " + file.path() + ": its hyperparameters are damaged (" + error.what() +
                "): export the model again");
  }
}

}    // namespace vitrify
