// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "glassvae/glassvae_kernels.h"
#include "glassvae/glassvae_model.h"

#include <cstddef>
#include <vector>

namespace vitrify {

/// The weights of a GlassVAEModel as the kernels want them: for products with rows from the left, columns rounded up
/// to whole vectors, and the scale of the invariants in the weights that they meet.
template <typename T> struct GlassVAETables {
  GlassVAETables(const GlassVAEModel &model, int lanes);

  struct Hidden {
    std::vector<T> first, first_bias, second, second_bias, first_back, second_back;
    HiddenLayers<T> layers() const;
  };

  int n_species, splines, width, hidden;    // width, hidden: rounded up
  double start, cutoff;
  std::vector<T> radial, least, mix[2], back[2], shift;
  Hidden graph, energy;    // the bias of energy.first is made for every z
  std::vector<T> energy_linear, energy_out;
  // In double, for what all atoms have in common: of invariants as the kernels have them (4 width).
  Perceptron graph_path;
  std::vector<double> pair_radial;    // (species, species, splines + 3, summary)

  /// Values of T that are kept of each atom.
  std::size_t kept() const { return static_cast<std::size_t>(12 * width + 2 * hidden); }
  /// Rows of A of one atom.
  std::size_t rows() const { return static_cast<std::size_t>(n_species) * static_cast<std::size_t>(splines + 3); }
  GlassVAENetwork<T> network() const;
  std::size_t bytes() const;
};

extern template struct GlassVAETables<float>;
extern template struct GlassVAETables<double>;

}    // namespace vitrify
