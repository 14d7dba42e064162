// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/geometry.h"
#include "base/random_streams.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vitrify {

/// n sites (n, 3) of a species, spread evenly over any periodic cell (vectors as rows): layers of rows of equidistant
/// sites. The numbers of layers and rows are those of a simple cubic lattice, as nearly as the cell allows; the phases
/// of layers and rows are random. No part of the cell gets more than its share of the atoms; uniformly random sites
/// would leave voids that a network with a finite range cannot fill.
std::vector<double> lattice(const std::array<Vector3, 3> &cell, std::size_t n, std::uint32_t seed,
                            std::uint32_t species);

/// Positions (n, 3) from which a flow starts, for atoms of types (n), at time 1: sites of a lattice of each species,
/// with normal noise of the standard deviation `spread`.
std::vector<double> flow_start(const std::array<Vector3, 3> &cell, const std::vector<int> &types, double spread,
                               std::uint32_t seed);

/// Puts a share `churn` of the noise back before a step of a sampler that begins at `time`: positions (n, 3) get noise
/// of the size that they have between then and the time that is returned. spread: size of the noise at time 1.
double put_back_noise(std::vector<double> &positions, double time, double churn, double spread, int step,
                      std::uint32_t seed);

}    // namespace vitrify
