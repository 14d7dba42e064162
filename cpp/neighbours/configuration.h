// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/geometry.h"

#include <array>
#include <cstdint>

namespace vitrify {

/// The input of a prediction, in the model's units: atoms, owned ones first, then ghosts, and their neighbours.
///
/// A ghost is a copy of an atom, of this rank or another, at the place where a pair sees it; periodic images are
/// ghosts too. The host owns all arrays.
struct Configuration {
  std::int64_t n_owned = 0, n_nodes = 0;
  const int *types = nullptr;                      // (n_nodes) index into the model's species
  const double *positions = nullptr;               // (n_nodes, 3)
  const double *velocities = nullptr;              // (n_nodes, 3); null for models of structures at rest
  const std::array<Vector3, 3> *cell = nullptr;    // vectors as rows, between an atom and its images; may be null
  bool whole = false;    // the owned atoms are all that there are, and the ghosts their images along all cell vectors

  // A half list, as LAMMPS has it without Newton's third law: the neighbours of owned atom i are lists[i][k] & mask
  // for k < counts[i]. A pair of two owned atoms stands once, at one of them; a pair of an owned atom and a ghost
  // stands at the owned one. The list may reach beyond the cutoff. Without lists (null) the engine searches for itself,
  // if it can: see Engine::needs_lists.
  const int *counts = nullptr;
  const int *const *lists = nullptr;
  int mask = ~0;
};

}    // namespace vitrify
