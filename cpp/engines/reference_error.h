// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/energy_engine.h"
#include "engines/engine.h"
#include "modelfile/metadata.h"

#include <vector>

namespace vitrify {

/// The largest deviation of a value, relative to the rms of what is expected; infinite if one is not a number.
double relative_error(const std::vector<double> &got, const std::vector<double> &expected);

/// How far an output is from what is expected, relative to the rms of that, and how far it may be.
struct Deviation {
  double error = 0.0, allowed = 0.0;

  bool is_allowed() const { return error <= allowed; }
};

/// Runs the reference case and returns the deviation of the output, of one or two arrays, that is worst for its
/// tolerance.
Deviation reference_deviation(Engine &engine, const Metadata &metadata);

/// The same for energy, forces, stress and z.
Deviation reference_deviation(EnergyEngine &engine, const Metadata &metadata);

}    // namespace vitrify
