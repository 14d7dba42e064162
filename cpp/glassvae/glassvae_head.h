// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <vector>

namespace vitrify {

/// y = weight x + bias; weight (outputs, inputs), bias (outputs) or empty.
struct Dense {
  std::size_t inputs = 0, outputs = 0;
  std::vector<double> weight, bias;

  std::vector<double> evaluate(const std::vector<double> &x) const;
  /// The gradient of a loss by x, given the one by y.
  std::vector<double> backward(const std::vector<double> &by_y) const;
};

/// x plus two linear maps of itself with silu between them.
struct Residual {
  Dense inner, outer;

  std::vector<double> evaluate(const std::vector<double> &x) const;
  std::vector<double> backward(const std::vector<double> &x, const std::vector<double> &by_y) const;
};

/// A linear map and, added to it, two hidden layers.
struct Perceptron {
  Dense linear, first, second, out;

  std::vector<double> evaluate(const std::vector<double> &x) const;
  std::vector<double> backward(const std::vector<double> &x, const std::vector<double> &by_y) const;
};

/// The posterior and the energy that all atoms have in common, from the pooled features of a structure: the output of
/// the graph path (2 latent), pooled functions of pair distances (summary), and the number of atoms. See
/// python/vitrify/glassvae/models/equivariant.py.
class GlassVAEHead {
public:
  std::size_t latent = 0, summary = 0;
  std::vector<double> pooled_shift, pooled_scale;    // (summary)
  std::vector<Residual> edge_blocks;
  Perceptron posterior, fusion;

  /// Takes the pooled features of all atoms.
  void evaluate(const double *pooled_features);
  /// z, and the part of the energy that every atom has.
  const std::vector<double> &mu() const { return mu_; }
  double common() const { return common_; }
  /// The gradient by the pooled features of the last `evaluate`, given those by mu and by `common`. The number of atoms
  /// does not change with the positions, so that its own is 0.
  std::vector<double> backward(std::vector<double> by_mu, double by_common) const;

private:
  double count_ = 0.0;
  std::vector<std::vector<double>> steps_;    // inputs of each of the edge blocks, and last their output
  std::vector<double> inputs_, mu_;           // inputs_: of the posterior
  double common_ = 0.0;
};

}    // namespace vitrify
