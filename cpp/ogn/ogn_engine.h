// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/engine.h"
#include "modelfile/model_file.h"

#include <memory>

namespace vitrify {

/// The native engine for models of kind ogn and variant pair: python/vitrify/ogn/models/pair.py without libtorch,
/// and with each pair of owned atoms looked at once. Throws Error if the file has no native weights or they are
/// damaged.
std::unique_ptr<Engine> make_ogn_engine(const ModelFile &file);

}    // namespace vitrify
