// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/geometry.h"

#include <array>
#include <cstddef>

namespace vitrify {

/// Sizes of a flow network, and the noise that it was trained with.
struct FlowSizes {
  int width = 0;                              // channels of an atom
  double cutoff = 0.0;                        // in the model's units of length, as the two below
  double spread = 0.0, churn_spread = 0.0;    // of the noise at time 1, and of noise that is added on the way
};

/// A network that gives the velocities of the atoms of a noisy structure. Throws Error.
class FlowNetwork {
public:
  virtual ~FlowNetwork() = default;

  /// The average velocities of all atoms, whose mean is zero, (n, 3) to `out`.
  /// cell: vectors as rows; positions: (n, 3), anywhere; types: (n), 0-based; time and step in [0, 1]; properties and
  /// known: one value for each property of the model, known 1 where it is asked for and 0 where it is not.
  virtual void velocity(const std::array<Vector3, 3> &cell, std::size_t n, const double *positions, const int *types,
                        double time, double step, const double *properties, const double *known, double *out) = 0;

  virtual const FlowSizes &sizes() const = 0;
  /// Bytes that it holds.
  virtual std::size_t bytes() const = 0;
};

}    // namespace vitrify
