// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/flow_network.h"
#include "modelfile/model_file.h"

#include <string>
#include <vector>

namespace vitrify {

/// The sizes of the flow network of a model file, checked. The network is the whole model, or a `part` of it: then its
/// hyperparameters are a section of that name, and the names of its tensors begin with it and a dot.
struct FlowSettings : FlowSizes {
  /// Throws Error that begins with the path if the file has no native weights, or the sizes contradict one another.
  FlowSettings(const ModelFile &file, const std::string &part);

  std::string part;    // empty for the whole model
  int layers = 0, splines = 0, condition = 0;

private:
  void read(const ModelFile &file);
};

/// The weights and hyperparameters of a FlowAMShortcut, checked: sizes agree and every number is finite. Tensors are as
/// the file has them; see python/vitrify/amshortcut/models/flow.py.
struct FlowNetworkModel {
  /// Throws Error that begins with the path if the file has no native weights or they are damaged.
  FlowNetworkModel(const ModelFile &file, const FlowSettings &settings);

  struct Layer {
    std::vector<double> filters;                        // (splines, width), after the first layer (splines, 2 width)
    std::vector<double> mix;                            // (width or 3 width, 2 width)
    std::vector<double> hidden, hidden_bias;            // (2 width, 5 or 6 width), (2 width)
    std::vector<double> modulation, modulation_bias;    // (4 width, condition), (4 width)
    std::vector<double> out, out_bias;                  // (3 width, 2 width), (3 width)
  };

  FlowSizes sizes;
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
  void read_weights(const ModelFile &file, const std::string &prefix);
  std::vector<double> condition_of(double time, double step, const double *properties, const double *is_known) const;
};

}    // namespace vitrify
