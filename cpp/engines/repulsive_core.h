// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "neighbours/configuration.h"
#include "neighbours/node_grid.h"

#include <cstddef>
#include <vector>

namespace vitrify {

struct EnergyResult;

/// Pairs that are closer than any of their species in the training data repel each other, in every engine and host: a
/// network knows nothing of them, and would keep atoms that have fallen into each other. Within the range of the
/// training data nothing is added.
class RepulsiveCore {
public:
  /// min_distance: of each `pair_of_species` in the training data; none in older model files, which have no core.
  RepulsiveCore(const std::vector<double> &min_distance, double cutoff);

  /// How far a pair may reach.
  double reach() const { return reach_; }
  /// Adds energies, forces and virials of the pairs of owned atoms of the configuration.
  void add(const Configuration &configuration, const EnergyResult &result);
  /// The same at no cost where no pair is close. closest: the smallest distance of each `pair_of_species`.
  void add(const Configuration &configuration, const std::vector<double> &closest, const EnergyResult &result);
  std::size_t bytes() const { return grid_.bytes(); }

private:
  std::vector<double> min_distance_;    // of each `pair_of_species`
  double reach_ = 0.0;                  // the largest of them
  NodeGrid grid_;
};

/// The energy of a pair at `distance`, in the model's unit of energy, and its derivative; 0 from `outer` on, with
/// continuous second derivatives.
struct CoreEnergy {
  double value, slope;
};
CoreEnergy core_energy(double distance, double outer);

}    // namespace vitrify
