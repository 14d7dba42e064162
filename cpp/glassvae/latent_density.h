// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace vitrify {

class ModelFile;

/// z of a structure, and the energy for each atom that it was drawn with.
struct LatentDraw {
  std::vector<double> z;
  double energy = 0.0;
};

/// The part of each Gaussian of a LatentDensity that lies in an energy window.
struct LatentWindow {
  std::vector<double> shares;      // of the draws; they add up to 1
  std::vector<double> from, to;    // in standard deviations of its energy
};

/// The density of the latent vectors of a model: Gaussians of (z, energy), fitted to the training data.
///
/// Draws are exact, with or without a window of energies: a Gaussian by its share of the window, an energy from
/// its part in the window, z given that energy. A draw depends on nothing but the window, a seed and an index.
class LatentDensity {
public:
  /// weights (K), means (K, D + 1) and covariances (K, D + 1, D + 1), energies last. Throws Error if they are no
  /// density.
  LatentDensity(const std::vector<double> &weights, const std::vector<double> &means,
                const std::vector<double> &covariances);

  /// Throws Error if a window is empty, or if there are next to no training data in it.
  LatentWindow window(double low = -std::numeric_limits<double>::infinity(),
                      double high = std::numeric_limits<double>::infinity()) const;
  LatentDraw draw(const LatentWindow &window, std::uint32_t seed, std::uint32_t index = 0) const;
  /// The energy below which a share of the density lies.
  double quantile(double share) const;
  /// Length of z.
  std::size_t size() const { return size_ - 1; }

private:
  struct Gaussian {
    double weight, energy, spread;    // spread: standard deviation of the energy
    std::vector<double> mean;         // of (energy, z)
    std::vector<double> root;         // lower-triangular, times its transpose: the covariance of (energy, z)
  };
  double below(double energy) const;

  std::size_t size_ = 0;    // numbers of (energy, z)
  std::vector<Gaussian> gaussians_;
};

/// The density of a model file of kind glassvae; throws Error that begins with the path if it is damaged.
LatentDensity read_latent_density(const ModelFile &file);

}    // namespace vitrify
