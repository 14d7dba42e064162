// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "symgnn/symgnn_kernels.h"
#include "symgnn/symgnn_tables.h"

#include <algorithm>
#include <cstddef>

namespace vitrify {

inline std::size_t product(int a, int b, int c = 1)
{ return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c); }

/// Arrays of one thread for the atoms that it works on; the kernels' arguments say what they hold.
template <typename T> struct SymGNNWorkspace : Workspace {
  // Of one atom.
  Array<int> found{*this}, ends{*this};
  Array<double> squares{*this}, bonds{*this};
  Array<T> vectors[3]{*this, *this, *this}, sorted[3]{*this, *this, *this}, lengths{*this}, angular{*this},
      radial{*this}, densities{*this};
  // Of BATCH atoms.
  Array<T> descriptors{*this}, given{*this}, values{*this}, direct{*this}, members{*this}, arranged{*this},
      hiddens{*this};
  Array<double> least{*this};    // (species, species): squares of the closest distances

  SymGNNWorkspace(const SymGNNTables<T> &t, int lanes)
  {
    ends.reserve(product(t.n_species + 1, 1));
    angular.reserve(product(std::max(t.harmonics, t.shells), LONG_STRIDE));
    radial.reserve(product(LONG_BLOCK, t.basis_width));
    densities.reserve(product(t.n_species, t.harmonics, t.basis_width) + static_cast<std::size_t>(lanes));
    if (t.stiffness) bonds.reserve(product(BOND_TERMS, LONG_STRIDE));
    descriptors.reserve(product(BATCH, t.n_descriptors) + static_cast<std::size_t>(lanes));
    given.reserve(product(BATCH, t.given_width));
    values.reserve(product(BATCH, t.inputs, t.field_width));
    direct.reserve(product(BATCH, t.members));
    members.reserve(product(BATCH, t.members));
    arranged.reserve(product(BATCH, t.inputs, t.fields));
    hiddens.reserve(product(BATCH, t.hidden_width));
    least.reserve(product(t.n_species, t.n_species));
  }

  /// Makes room for `count` nodes that may be neighbours of an atom.
  void reserve_nodes(std::size_t count)
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
};

}    // namespace vitrify
