// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace vitrify {

/// Predictions of a property for the atoms of a structure, counted over the whole structure.
struct PropertyCounts {
  long long atoms = 0;
  long long negative = 0;    // values below zero
  long long outside = 0;     // standard deviations above those of 99% of the training atoms
  double lowest = 0.0;       // value
};

/// Why predictions are impossible, with the remedy: negative barriers, or most atoms outside. Empty if they are not.
/// property, unit: of the model; limit: the deviation that 99% of the training atoms stay below, 0 if there is none.
std::string impossible_property(const std::string &property, const std::string &unit, const PropertyCounts &counts,
                                double limit);

}    // namespace vitrify
