// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "glassvae/glassvae_kernels.h"
#include "glassvae/glassvae_model.h"
#include "modelfile/tables.h"

#include <cstddef>
#include <vector>

namespace vitrify {

/// The weights of a GlassVAEModel as the kernels want them: for products with rows from the left, columns rounded up
/// to whole vectors, and the scale of the invariants in the weights that they meet.
template <typename T> struct GlassVAETables : Workspace {
  GlassVAETables(const GlassVAEModel &model, int lanes);

  struct Hidden {
    explicit Hidden(Workspace &tables) :
        first(tables), first_bias(tables), second(tables), second_bias(tables), first_back(tables), second_back(tables)
    {
    }
    void read(const Perceptron &from, const std::vector<double> &scale, Side inputs, Side hidden);
    HiddenLayers<T> layers() const;

    Array<T> first, first_bias, second, second_bias, first_back, second_back;
  };

  int n_species, splines, width, hidden;    // width, hidden: rounded up
  double start, cutoff;
  Array<T> radial{*this}, least{*this}, mix[2]{*this, *this}, back[2]{*this, *this}, shift{*this};
  Hidden graph{*this}, energy{*this};    // the bias of energy.first is made for every z
  Array<T> energy_linear{*this}, energy_out{*this};
  // In double, because they work on sums over all atoms; inputs are the invariants as the kernels have them (4 width).
  Perceptron graph_path;
  std::vector<double> pair_radial;    // (species, species, splines + 3, summary)

  /// Values of T that a GlassVAEBatch holds of each atom.
  std::size_t values_of_atom() const { return static_cast<std::size_t>(12 * width + 2 * hidden); }
  /// Rows of A of one atom.
  std::size_t rows() const { return static_cast<std::size_t>(n_species) * static_cast<std::size_t>(splines + 3); }
  GlassVAENetwork<T> network() const;
};

extern template struct GlassVAETables<float>;
extern template struct GlassVAETables<double>;

}    // namespace vitrify
