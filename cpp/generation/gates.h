// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "neighbours/overlaps.h"

#include <string>
#include <vector>

namespace vitrify {

/// How far a density that is asked for may lie outside that of the training data, as a share of the limit.
constexpr double MAX_STRETCH = 0.2;

/// What is said where an energy is asked for and not measured.
constexpr const char *ENERGY_NOT_MEASURED =
    "the energy that was asked for is drawn with the latent vector, and is not measured in the structure";

/// Throws Error if pairs of a structure that was made, and whose close pairs were pushed apart, are closer than in the
/// training data. min_distance: of each `pair_of_species`; number_density: the lowest and the highest of the data.
void refuse_close_pairs(Structure &structure, const std::vector<std::string> &species,
                        const std::vector<double> &min_distance, const double *number_density);

}    // namespace vitrify
