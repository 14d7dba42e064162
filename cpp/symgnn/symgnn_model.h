// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "modelfile/model_file.h"

#include <vector>

namespace vitrify {

/// The weights and hyperparameters of an ExactSymGNN, checked: sizes agree and every number is finite. Tensors are as
/// the file has them; see python/vitrify/symgnn/models/exact.py.
struct SymGNNModel {
  /// Throws Error that begins with the path if the file has no native weights or they are damaged.
  explicit SymGNNModel(const ModelFile &file);

  int n_species = 0, basis = 0, degree = 0, shells = 0, members = 0, fields = 0, hidden = 0;
  int n_descriptors = 0;
  bool stiffness = false;
  double cutoff = 0.0, inner = 0.0, core = 0.0;
  std::vector<double> centre, shell_scale;         // (descriptors), (shells)
  std::vector<double> field_weight, field_bias;    // (species, descriptors, members, fields + 1), (species, ...)
  std::vector<double> pair_table;                  // (pairs of species, KNOTS, 3), empty without stiffness
  std::vector<double> readout;                     // (species, members, shells + 1, fields)
  std::vector<double> first_weight;                // (members, inputs, hidden), inputs = (shells + 1) fields
  std::vector<double> first_bias, last_weight;     // (species, members, hidden), (members, hidden)
  std::vector<double> label_mean;                  // (species)
  double label_scale = 0.0, residual = 0.0, spread_gain = 0.0;

private:
  void read_hyperparameters(const ModelFile &file);
  void read_weights(const ModelFile &file);
};

}    // namespace vitrify
