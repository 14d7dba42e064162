// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/engine.h"
#include "modelfile/model_file.h"

#include <memory>

namespace vitrify {

/// The native engine for models of kind symgnn and variant exact: python/vitrify/symgnn/models/exact.py without
/// libtorch.
///
/// Layer 0 makes the fields of the owned atoms from their descriptors, layer 1 sums them over shells and reads out the
/// property. Pairs are not stored: both layers find the neighbours of one atom at a time in a grid, and all numbers of
/// these neighbours stay in the cache. An atom's result does not depend on the number of threads.
std::unique_ptr<Engine> make_symgnn_engine(const ModelFile &file);

}    // namespace vitrify
