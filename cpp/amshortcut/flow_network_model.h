// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "modelfile/model_file.h"

#include <vector>

namespace vitrify {

/// Where the flow of a model file is, and its sizes, checked: the whole model of kind amshortcut, the decoder of kind
/// glassvae, whose properties are z.
struct FlowSettings {
  /// Throws Error that begins with the path if the file has no native weights, or the sizes contradict one another.
  explicit FlowSettings(const ModelFile &file);

  const char *prefix;    // of the names of its tensors
  int layers = 0, width = 0, splines = 0, condition = 0;
  double cutoff = 0.0;
  double spread = 0.0, churn_spread = 0.0;    // of the noise at time 1, and of that which is put back

private:
  void read(const ModelFile &file);
};

/// The weights and hyperparameters of a FlowAMShortcut, checked: sizes agree and every number is finite. Tensors are as
/// the file has them; see python/vitrify/models/amshortcut_flow.py.
struct FlowNetworkModel {
  /// Throws Error that begins with the path if the file has no native weights or they are damaged.
  explicit FlowNetworkModel(const ModelFile &file) : FlowNetworkModel(file, FlowSettings(file)) {}

  struct Layer {
    std::vector<double> filters;                        // (splines, width), after the first layer (splines, 2 width)
    std::vector<double> mix;                            // (width or 3 width, 2 width)
    std::vector<double> hidden, hidden_bias;            // (2 width, 5 or 6 width), (2 width)
    std::vector<double> modulation, modulation_bias;    // (4 width, condition), (4 width)
    std::vector<double> out, out_bias;                  // (3 width, 2 width), (3 width)
  };

  int n_species = 0, n_properties = 0, width = 0, splines = 0, condition = 0;
  double cutoff = 0.0;
  std::vector<double> embedding;                        // (species, width)
  std::vector<double> property_mean, property_scale;    // (properties)
  std::vector<double> times, times_bias;                // (condition, waves), (condition)
  std::vector<double> known, unknown;                   // (properties, 2, condition), (properties, condition)
  std::vector<double> mix, mix_bias;                    // (condition, condition), (condition)
  std::vector<Layer> layers;
  std::vector<double> gate, gate_bias;    // (width, width), (width)

  /// Gain and shift of the hidden values of each layer (layers, 2, 2 width), for one structure.
  std::vector<double> modulation(double time, double step, const double *properties, const double *is_known) const;

private:
  FlowNetworkModel(const ModelFile &file, const FlowSettings &settings);
  void read_weights(const ModelFile &file, const char *prefix);
  std::vector<double> condition_of(double time, double step, const double *properties, const double *is_known) const;
};

}    // namespace vitrify
