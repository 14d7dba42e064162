// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/engine.h"
#include "neighbours/half_list.h"
#include "neighbours/periodic.h"

#include <array>
#include <vector>

namespace vitrify {

/// A host of an engine that has whole periodic structures and no neighbour lists.
class PeriodicHost {
public:
  /// The structure: build it before each prediction.
  PeriodicSystem system;

  /// One prediction by `engine`, which has `layers` layers: the output of `Engine::finish` in the order of the atoms
  /// that the system was built from. With `virial`, which the engine must know, that of the system, too.
  void predict(Engine &engine, int layers, double *first, double *second, std::array<double, 6> *virial = nullptr);

private:
  HalfList half_list_;            // for an engine that wants lists
  std::vector<double> buffer_;    // features on their way from owners to ghosts
};

}    // namespace vitrify
