// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <pybind11/pybind11.h>

namespace vitrify {

// Each of these functions adds one part of the module.

/// The archive of a model file, its metadata, and the trust in its program.
void bind_model_file(pybind11::module_ &module);

/// Models of kind ogn and symgnn in the native engine.
void bind_engines(pybind11::module_ &module);

/// Generators of structures, and the density of latent vectors.
void bind_sampler(pybind11::module_ &module);

/// The stages of the pair variant of OGN, with gradients.
void bind_ogn_training(pybind11::module_ &module);

/// The guard of an integrator, as fix ogn has it.
void bind_guard(pybind11::module_ &module);

/// The range of the training data: composition, density, temperature and closest pairs.
void bind_validity(pybind11::module_ &module);

/// The barostat of an integrator, as fix ogn has it.
void bind_cell_rescaling(pybind11::module_ &module);

/// Random numbers, their streams, and the rule for seeds.
void bind_random(pybind11::module_ &module);

/// Models of kind glassvae in the native engine.
void bind_glassvae(pybind11::module_ &module);

/// Flow networks: the sums over neighbours, with gradients, and models in the native engine.
void bind_flow_network(pybind11::module_ &module);

}    // namespace vitrify
