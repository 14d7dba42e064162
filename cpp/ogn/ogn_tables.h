// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "ogn/ogn_kernels.h"
#include "ogn/ogn_model.h"

#include <deque>
#include <vector>

namespace vitrify {

/// Sums in whole numbers stay below this: 32 bits, and something for rounding.
constexpr double MAX_WHOLE = 0.999 * 2147483648.0;

/// Where the nine moments of `pack`, vector and xx, yy, zz, xy, xz, yz, stand in a MOMENT_ROW.
constexpr int MOMENT_PLACES[9] = {0, 1, 2, 4, 9, 14, 5, 6, 10};

/// An OGNModel laid out for the kernels in precision T. Splines become one polynomial for each interval, which is
/// exact, other than a table of values.
template <typename T> struct OGNTables : Workspace {
  /// Throws Error if the model is larger than the kernels are made for.
  explicit OGNTables(const OGNModel &model);

  struct Stage {
    explicit Stage(Workspace &tables) :
        polynomials(tables), input(tables), input_bias(tables), output(tables), output_bias(tables), gates(tables),
        recall(tables), stress(tables), slot_weights(tables)
    {
    }

    double time = 0.0;
    // A force of 1 and the magnitude of one, where sums are whole numbers.
    double force_scale = 1.0, magnitude_scale = 1.0;
    std::vector<T> density_units;    // (density_width) of the sums
    Array<T> polynomials, input, input_bias, output, output_bias, gates, recall, stress;
    Array<double> slot_weights;
  };

  int channels, scalars, moments, n_species;
  int density_groups, feature_width, moment_offset;
  bool has_stress;
  bool whole;                        // the pass sums in whole numbers
  int most_neighbours;               // of an atom, for which 32 bits hold every sum of densities
  double cutoff, inner, timestep;    // inner: the smallest cutoff of a stage
  std::deque<Stage> stages;
  Array<T> embedding{*this};

  // Arguments of the kernels for each stage, without the arrays of the atoms.
  std::vector<PairPass<T>> passes;
  std::vector<NodeUpdate<T>> updates;

  int density_width() const { return LANES * density_groups; }

private:
  void check(const OGNModel &model) const;
  void fill_stage(const OGNModel &model, int index);
  double usual_force(const OGNModel &model, const PairStage &stage) const;
  void fill_stress(const OGNModel &model, int index);
  void choose_scales(const OGNModel &model, int index);
  void describe_stage(const OGNModel &model, int index);
};

}    // namespace vitrify
