// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <pybind11/pybind11.h>

namespace vitrify {

/// Adds generators of structures to the module.
void bind_sampler(pybind11::module_ &module);

/// Adds the stages of the pair variant, with gradients, to the module.
void bind_stage(pybind11::module_ &module);

/// Adds latent models in the native engine.
void bind_glassvae(pybind11::module_ &module);

/// Adds the generator's network: its moments, with gradients, and models in the native engine.
void bind_generator(pybind11::module_ &module);

}    // namespace vitrify
