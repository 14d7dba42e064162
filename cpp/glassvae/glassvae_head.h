// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <vector>

namespace vitrify {

/// y = weight x + bias; weight (outputs, inputs), bias (outputs) or empty.
struct Dense {
  std::size_t inputs = 0, outputs = 0;
  std::vector<double> weight, bias;

  std::vector<double> of(const std::vector<double> &x) const;
  /// The gradient by x, given the one by y.
  std::vector<double> pulled(const std::vector<double> &by_y) const;
};

/// x plus two linear maps of itself with silu between them.
struct Residual {
  Dense inner, outer;

  std::vector<double> of(const std::vector<double> &x) const;
  std::vector<double> pulled(const std::vector<double> &x, const std::vector<double> &by_y) const;
};

/// A linear map and, added to it, two hidden layers.
struct Perceptron {
  Dense linear, first, second, out;

  std::vector<double> of(const std::vector<double> &x) const;
  std::vector<double> pulled(const std::vector<double> &x, const std::vector<double> &by_y) const;
};

/// What a latent model of variant equivariant makes of its pooled_features:
/// python/vitrify/glassvae/models/equivariant.py. Totals are those of the graph path (2 latent), pooled pair distances
/// (summary), and the number of atoms.
class GlassVAEHead {
public:
  std::size_t latent = 0, summary = 0;
  std::vector<double> pooled_shift, pooled_scale;    // (summary)
  std::vector<Residual> edge_blocks;
  Perceptron posterior, fusion;

  std::size_t n_totals() const { return 2 * latent + summary + 1; }
  /// Reads pooled_features over all atoms.
  void evaluate(const double *pooled_features);
  /// z, and what every atom's energy has in common.
  const std::vector<double> &mu() const { return mu_; }
  double common() const { return common_; }
  /// Derivatives by the pooled_features of the last `evaluate`, given those by mu and by `common`. The number of atoms
  /// moves with none of them, so that its own is 0.
  std::vector<double> pulled(std::vector<double> by_mu, double by_common) const;

private:
  double count_ = 0.0;
  std::vector<std::vector<double>> steps_;    // what each of the edge blocks sees, and last what they give
  std::vector<double> seen_, mu_;             // seen_: by the posterior
  double common_ = 0.0;
};

}    // namespace vitrify
