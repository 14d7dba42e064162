// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/energy_engine.h"
#include "modelfile/model_file.h"

#include <memory>

namespace vitrify {

/// The native engine for models of kind glassvae and variant equivariant:
/// python/vitrify/glassvae/models/equivariant.py without libtorch.
///
/// Pairs are not stored: both passes over the neighbours find the neighbours of one atom at a time in a grid, and a few
/// hundred numbers of each atom stay between the passes. The result does not depend on the number of threads, which is
/// OMP_NUM_THREADS (default 1). Throws Error if the file has no native weights or they are damaged.
std::unique_ptr<EnergyEngine> make_glassvae_engine(const ModelFile &file);

}    // namespace vitrify
