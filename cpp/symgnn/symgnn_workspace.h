// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/buffer.h"
#include "symgnn/symgnn_kernels.h"
#include "symgnn/symgnn_tables.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace vitrify {

inline std::size_t product(int a, int b, int c = 1)
{ return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c); }

/// What one thread needs for the atoms that it works on.
template <typename T> struct SymGNNWorkspace {
  Buffer<int> found, ends;
  Buffer<double> squares;
  Buffer<T> vectors[3], sorted[3], lengths, angular, radial, densities;        // of one atom
  Buffer<double> bonds;                                                        // of one atom
  Buffer<T> descriptors, given, values, direct, members, arranged, hiddens;    // of BATCH
  std::vector<double> least;    // (species, species): squares of the closest distances

  /// Room that does not depend on the system.
  void reserve(const SymGNNTables<T> &t, int lanes);
  /// Room for the nodes that may be neighbours.
  void reserve_nodes(std::size_t count);
  std::size_t bytes() const;
};

template <typename T> void SymGNNWorkspace<T>::reserve(const SymGNNTables<T> &t, int lanes)
{
  ends.reserve(product(t.n_species + 1, 1));
  angular.reserve(product(std::max(t.harmonics, t.shells), LONG_STRIDE));
  radial.reserve(product(LONG_BLOCK, t.basis_width));
  densities.reserve(product(t.n_species, t.harmonics, t.basis_width) + lanes);
  if (t.stiffness) bonds.reserve(product(BOND_TERMS, LONG_STRIDE));
  descriptors.reserve(product(BATCH, t.n_descriptors) + lanes);
  given.reserve(product(BATCH, t.given_width));
  values.reserve(product(BATCH, t.inputs, t.field_width));
  direct.reserve(product(BATCH, t.members));
  members.reserve(product(BATCH, t.members));
  arranged.reserve(product(BATCH, t.inputs, t.fields));
  hiddens.reserve(product(BATCH, t.hidden_width));
  least.resize(product(t.n_species, t.n_species));
}

template <typename T> void SymGNNWorkspace<T>::reserve_nodes(std::size_t count)
{
  count += BLOCK;
  found.reserve(count);
  squares.reserve(count);
  lengths.reserve(count);
  for (int d = 0; d < 3; ++d) {
    vectors[d].reserve(count);
    sorted[d].reserve(count);
  }
}

template <typename T> std::size_t SymGNNWorkspace<T>::bytes() const
{
  std::size_t sum = found.bytes() + ends.bytes() + squares.bytes() + bonds.bytes() + least.size() * sizeof(double);
  for (const Buffer<T> *one :
       {&vectors[0], &vectors[1], &vectors[2], &sorted[0], &sorted[1], &sorted[2], &lengths, &angular, &radial,
        &densities, &descriptors, &given, &values, &direct, &members, &arranged, &hiddens})
    sum += one->bytes();
  return sum;
}

}    // namespace vitrify
