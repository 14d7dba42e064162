// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "symgnn/symgnn_kernels.h"
#include "symgnn/symgnn_model.h"

#include <vector>

namespace vitrify {

/// The weights of a SymGNNModel as the kernels want them, with rows of whole vectors.
template <typename T> struct SymGNNTables {
  SymGNNTables(const SymGNNModel &model, int lanes);

  int n_species, basis, degree, shells, members, fields, hidden, n_descriptors;    // descriptors: of all kinds
  bool stiffness;
  int harmonics, inputs;    // (degree + 1)^2; own fields and shells
  // Columns of arrays, rounded up to whole vectors: radial functions, what the weights of the fields give (fields, then
  // direct ones), fields of a node, hidden values.
  int basis_width, given_width, field_width, hidden_width;
  double cutoff, inner, core, label_scale, residual, spread_gain;
  std::vector<double> label_mean;
  std::vector<T> recursion, centre, shell_scale;
  std::vector<double> pair_table;                          // (pairs of species, KNOTS, 3)
  std::vector<T> field_weight, field_bias;                 // (species, descriptors, given), (species, given)
  std::vector<T> readout;                                  // (species, inputs, field_width)
  std::vector<T> first_weight, first_bias, last_weight;    // (members, inputs fields, hidden), ...

  std::size_t bytes() const;
};

extern template struct SymGNNTables<float>;
extern template struct SymGNNTables<double>;

}    // namespace vitrify
