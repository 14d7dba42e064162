// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/energy_engine.h"
#include "engines/engine.h"
#include "modelfile/metadata.h"

#include <vector>

namespace vitrify {

/// The largest deviation of a value, relative to the rms of what is expected; infinite if one is not a number.
double relative_error(const std::vector<double> &got, const std::vector<double> &expected);

/// Runs the reference case and returns the error relative to the rms of the output (the larger of its two arrays).
double reference_error(Engine &engine, const Metadata &metadata);

/// Runs the reference case and returns the largest error of energy, forces, stress and z, relative to the rms of each.
double reference_error(EnergyEngine &engine, const Metadata &metadata);

}    // namespace vitrify
