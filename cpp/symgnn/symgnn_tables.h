// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "symgnn/symgnn_kernels.h"
#include "symgnn/symgnn_model.h"

#include <vector>

namespace vitrify {

/// The weights of a SymGNNModel as the kernels want them, with rows of whole vectors.
template <typename T> struct SymGNNTables : Workspace {
  SymGNNTables(const SymGNNModel &model, int lanes);

  int n_species, basis, degree, shells, members, fields, hidden, n_descriptors;    // descriptors: of all kinds
  bool stiffness;
  int harmonics, inputs;    // (degree + 1)^2; own fields and shells
  // Columns of arrays, rounded up to whole vectors: radial functions; fields and direct outputs of all members, which
  // the field weights give; fields of a node; hidden values.
  int basis_width, given_width, field_width, hidden_width;
  double cutoff, inner, core, label_scale, residual, spread_gain;
  std::vector<double> label_mean;
  Array<T> recursion{*this}, centre{*this}, shell_scale{*this};
  Array<double> pair_table{*this};    // (pairs of species, KNOTS, 3)
  // (species, descriptors, given_width), (species, given_width), (species, inputs, field_width)
  Array<T> field_weight{*this}, field_bias{*this}, readout{*this};
  // (members, inputs fields, hidden_width), (species, members, hidden_width), (members, hidden_width)
  Array<T> first_weight{*this}, first_bias{*this}, last_weight{*this};
};

extern template struct SymGNNTables<float>;
extern template struct SymGNNTables<double>;

}    // namespace vitrify
