// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "modelfile/model_file.h"

#include <vector>

namespace vitrify {

/// One pass over the pairs of a PairOGN, as the file has it; see python/vitrify/ogn/models/pair.py.
struct PairStage {
  double cutoff = 0.0, time = 0.0;                               // time: fraction of the stride
  std::vector<double> splines;                                   // (pairs of species, basis, filters)
  std::vector<double> input, input_bias, output, output_bias;    // of the MLP: (hidden, inputs), (scalars, hidden)
  std::vector<double> gates;                                     // (channels, scalars)
  std::vector<double> displacements;    // (species, stages, channels): weights of the forces of the stages before
  std::vector<double> recall;           // (stages): weights of the moments of the stages before
  std::vector<double> stress;           // (pairs of species, stress_rows, 1 + channels); empty of models without
};

/// The weights and hyperparameters of a PairOGN, checked: sizes agree and every number is finite.
struct OGNModel {
  /// Throws Error that begins with the path if the file has no native weights or they are damaged.
  explicit OGNModel(const ModelFile &file);

  int channels = 0, scalars = 0, hidden = 0, basis = 0, moments = 0;
  int n_species = 0, n_pairs = 0;
  double cutoff = 0.0, reach = 0.0, core = 0.0, timestep = 0.0, density = 0.0;    // density: of atoms, the highest one
  bool has_stress = false;    // the file tells the stress of a stride: python/vitrify/ogn/models/stress.py
  std::vector<PairStage> stages;
  std::vector<double> embedding;         // (species, scalars)
  std::vector<double> end_dr, end_dv;    // (stages, channels): weights of all forces in the changes over the stride
  std::vector<double> step_scale;        // (species) M / m

  int n_stages() const { return static_cast<int>(stages.size()); }
  int n_filters() const { return channels + scalars + moments * (2 + 4 * channels); }
  int n_stress_rows() const { return channels + scalars + moments * 4 * channels; }
  int n_inputs() const { return 3 * scalars + 2 * moments; }

private:
  void read_hyperparameters(const ModelFile &file);
  void read_weights(const ModelFile &file);
};

}    // namespace vitrify
