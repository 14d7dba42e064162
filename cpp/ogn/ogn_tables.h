// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/buffer.h"
#include "ogn/ogn_kernels.h"
#include "ogn/ogn_model.h"

#include <cstddef>
#include <vector>

namespace vitrify {

/// Where the nine moments of `pack`, vector and xx, yy, zz, xy, xz, yz, stand in a MOMENT_ROW.
constexpr int MOMENT_PLACES[9] = {0, 1, 2, 4, 9, 14, 5, 6, 10};

/// A OGNModel laid out for the kernels in precision T. Splines become one polynomial for each interval, which is
/// exact: no table of values with an error of its own.
template <typename T> struct OGNTables {
  /// Throws Error if the model is larger than the kernels are made for.
  explicit OGNTables(const OGNModel &model);
  OGNTables(const OGNTables &) = delete;
  OGNTables &operator=(const OGNTables &) = delete;

  struct Stage {
    double time = 0.0;
    Buffer<T> polynomials;
    std::vector<T> input, input_bias, output, output_bias, gates, recall;
    std::vector<double> slot_weights;
  };

  int channels, scalars, moments, n_species;
  int density_groups, feature_width, moment_offset;
  double cutoff, inner, timestep;    // inner: the smallest cutoff of a stage
  std::vector<Stage> stages;
  std::vector<T> embedding;

  // What the kernels get for each stage, without the arrays of the atoms.
  std::vector<PairPass<T>> passes;
  std::vector<NodeUpdate<T>> updates;

  int density_width() const { return LANES * density_groups; }
  std::size_t bytes() const;

private:
  void check(const OGNModel &model) const;
  void fill_stage(const OGNModel &model, int index);
  void describe_stage(const OGNModel &model, int index);
};

}    // namespace vitrify
