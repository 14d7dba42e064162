// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/denoiser.h"

#include <memory>

namespace vitrify {

class ModelFile;

/// A model file of kind amshortcut, variant flow, without libtorch. Throws Error if sizes or weights do not fit.
std::unique_ptr<Denoiser> make_native_denoiser(const ModelFile &file);

}    // namespace vitrify
