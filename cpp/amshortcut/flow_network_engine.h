// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/flow_network.h"

#include <memory>
#include <string>

namespace vitrify {

class ModelFile;

/// The flow network of a model file without libtorch: python/vitrify/amshortcut/models/flow.py. See FlowSettings for
/// `part`, which is empty if the whole model is the network. Throws Error if sizes or weights do not fit.
std::unique_ptr<FlowNetwork> make_flow_network(const ModelFile &file, const std::string &part);

}    // namespace vitrify
