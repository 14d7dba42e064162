// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/flow_network.h"

#include <memory>

namespace vitrify {

class ModelFile;

/// A model file of kind amshortcut, variant flow, without libtorch. Throws Error if sizes or weights do not fit.
std::unique_ptr<FlowNetwork> make_native_flow_network(const ModelFile &file);

}    // namespace vitrify
