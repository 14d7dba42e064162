// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "glassvae/glassvae_head.h"
#include "modelfile/model_file.h"

#include <vector>

namespace vitrify {

class Weights;

/// The weights and hyperparameters of an EquivariantGlassVAE that its energy needs, checked: sizes agree and every
/// number is finite. Tensors are as the file has them; see python/vitrify/glassvae/models/equivariant.py.
struct GlassVAEModel {
  /// Throws Error that begins with the path if the file has no native weights or they are damaged.
  explicit GlassVAEModel(const ModelFile &file);

  int n_species = 0, splines = 0, width = 0, hidden = 0, latent = 0, summary = 0;
  double start = 0.0, cutoff = 0.0;
  std::vector<double> radial;          // (species * species, splines, width)
  std::vector<double> mix;             // (2, width, 2 width)
  std::vector<double> shift, scale;    // (4 width)
  std::vector<double> pair_radial;     // (species * species, splines, summary)
  std::vector<double> least;           // (species, species)
  std::vector<double> reference;       // (species)
  double energy_scale = 0.0;
  Perceptron graph_path;          // (4 width) -> (2 latent)
  Perceptron energy;              // (4 width) -> (1)
  std::vector<double> species;    // (species, hidden), added to the first hidden layer of `energy`
  Dense latent_layer;             // (latent) -> (hidden), added there, too
  GlassVAEHead head;

private:
  void read_hyperparameters(const ModelFile &file);
  void read_weights(const ModelFile &file);
};

}    // namespace vitrify
