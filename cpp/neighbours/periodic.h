// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/geometry.h"
#include "neighbours/configuration.h"

#include <array>
#include <cstddef>
#include <vector>

namespace vitrify {

/// A periodic structure as a host with ghosts sees it: atoms wrapped into the cell, and their images around it. O(N).
/// The cell may be triclinic and smaller than the cutoff.
class PeriodicSystem {
public:
  /// Reads a structure: cell vectors as rows, n positions and velocities (n, 3), n types. Velocities may be null, for
  /// models of structures at rest. Keeps no pointer.
  /// Throws Error as `check_images`.
  void build(const std::array<Vector3, 3> &cell, std::size_t n, const double *positions, const double *velocities,
             const int *types, double cutoff);

  /// The atoms and their images, without lists, valid until the next `build`; and of each node, the atom that it is.
  Configuration configuration() const;
  const int *owners() const { return owners_.data(); }
  double cutoff() const { return cutoff_; }
  std::size_t bytes() const;

private:
  void add_atoms(std::size_t n, const double *positions, const double *velocities, const int *types);
  void add_ghosts();
  void append(int owner, const Vector3 &position);

  std::array<Vector3, 3> cell_{}, reciprocal_{};    // reciprocal_[d] . r is the fractional coordinate d
  Vector3 reach_{};                                 // the cutoff in fractional coordinates
  double cutoff_ = 0.0;
  std::size_t n_owned_ = 0;
  std::vector<double> positions_, velocities_;    // (n_nodes, 3); velocities may be empty
  std::vector<int> types_, owners_;               // (n_nodes)
};

}    // namespace vitrify
