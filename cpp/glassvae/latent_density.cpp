// SPDX-License-Identifier: BSD-3-Clause
#include "glassvae/latent_density.h"

#include "base/counter_rng.h"
#include "base/error.h"
#include "base/text.h"
#include "modelfile/hyperparameters.h"
#include "modelfile/model_file.h"
#include "modelfile/weights.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace vitrify {

namespace {

constexpr double FEW = 1e-3;         // a window with less of the data than this share of them is not known well enough
constexpr double FARTHEST = 40.0;    // standard deviations, where a normal distribution ends in double precision
constexpr int HALVES = 100;          // of an interval, until nothing is left of it
constexpr int MAX_GAUSSIANS = 4096;
constexpr double SINGULAR = 1e-12;    // of a variance

// The standard normal distribution below x.
double normal_below(double x)
{ return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// Its share between two numbers: exact in both tails.
double normal_between(double from, double to)
{ return from > 0.0 ? normal_below(-from) - normal_below(-to) : normal_below(to) - normal_below(from); }

// The argument between two numbers where a growing function has a value.
template <typename Function> double solve(double from, double to, double value, Function &&function)
{
  for (int k = 0; k < HALVES; ++k) {
    const double middle = 0.5 * (from + to);
    (function(middle) < value ? from : to) = middle;
  }
  return 0.5 * (from + to);
}

// A standard normal number between two, of which the share `rank` of such numbers lies below.
double truncated_normal(double from, double to, double rank)
{
  if (from > 0.0) return -truncated_normal(-to, -from, 1.0 - rank);
  const double value = normal_below(from) + rank * normal_between(from, to);
  return solve(std::max(from, -FARTHEST), std::min(to, FARTHEST), value, normal_below);
}

// A lower-triangular matrix (n, n) whose product with its transpose is a covariance, which may be singular (Cholesky).
std::vector<double> root_of(const std::vector<double> &covariance, std::size_t n)
{
  std::vector<double> root(n * n);
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = j; i < n; ++i) {
      double rest = covariance[i * n + j];
      for (std::size_t k = 0; k < j; ++k) rest -= root[i * n + k] * root[j * n + k];
      if (i == j)
        root[i * n + i] = rest > SINGULAR * covariance[i * n + i] ? std::sqrt(rest) : 0.0;
      else
        root[i * n + j] = root[j * n + j] > 0.0 ? rest / root[j * n + j] : 0.0;
    }
  return root;
}

std::string text(double value)
{ return number(value, 6); }

}    // namespace

LatentDensity::LatentDensity(const std::vector<double> &weights, const std::vector<double> &means,
                             const std::vector<double> &covariances)
{
  const std::size_t n_gaussians = weights.size();
  size_ = n_gaussians ? means.size() / n_gaussians : 0;
  if (size_ < 2 || means.size() != n_gaussians * size_ || covariances.size() != n_gaussians * size_ * size_)
    throw Error("the density of z needs weights (K), means (K, D + 1) and covariances (K, D + 1, D + 1)");
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  const std::size_t last = size_ - 1;
  // The energy comes first here, so that all that follows is given the energy.
  const auto source = [last](std::size_t i) { return i == 0 ? last : i - 1; };
  for (std::size_t g = 0; g < n_gaussians; ++g) {
    if (!(weights[g] >= 0.0 && sum > 0.0 && std::isfinite(sum)))
      throw Error("the weights of the density of z are not positive: export the model again");
    if (weights[g] == 0.0) continue;
    std::vector<double> mean(size_), covariance(size_ * size_);
    for (std::size_t i = 0; i < size_; ++i) {
      mean[i] = means[g * size_ + source(i)];
      for (std::size_t j = 0; j < size_; ++j)
        covariance[i * size_ + j] = covariances[(g * size_ + source(i)) * size_ + source(j)];
    }
    if (!(covariance[0] > 0.0)) throw Error("the energies of the density of z do not vary: export the model again");
    std::vector<double> root = root_of(covariance, size_);
    const double energy = mean[0], spread = root[0];
    gaussians_.push_back({weights[g] / sum, energy, spread, std::move(mean), std::move(root)});
  }
}

LatentWindow LatentDensity::window(double low, double high) const
{
  if (!(low < high))
    throw Error("the energies " + text(low) + " to " + text(high) +
                " leave nothing between them: give the lower one "
                "first");
  LatentWindow found;
  double all = 0.0;
  for (const Gaussian &gaussian : gaussians_) {
    found.from.push_back((low - gaussian.energy) / gaussian.spread);
    found.to.push_back((high - gaussian.energy) / gaussian.spread);
    found.shares.push_back(gaussian.weight * normal_between(found.from.back(), found.to.back()));
    all += found.shares.back();
  }
  // A narrow window may hold few data, but not many fewer than if they were spread evenly.
  const double least = quantile(0.01), most = quantile(0.99);
  if (!(all >= FEW * std::min(1.0, (high - low) / (most - least))))
    throw Error("there are next to no training data with energies from " + text(low) + " to " + text(high) +
                ": most lie from " + text(least) + " to " + text(most) + ", ask for energies among these");
  for (double &share : found.shares) share /= all;
  return found;
}

LatentDraw LatentDensity::draw(const LatentWindow &window, std::uint32_t seed, std::uint32_t index) const
{
  double rank = uniform(2 * index, seed, Stream::LATENT_CHOICES);
  std::size_t g = 0;
  for (; g + 1 < gaussians_.size() && !(rank < window.shares[g]); ++g) rank -= window.shares[g];
  while (g > 0 && !(window.shares[g] > 0.0)) --g;    // where rounding leaves a little
  const Gaussian &gaussian = gaussians_[g];
  std::vector<double> standard{
      truncated_normal(window.from[g], window.to[g], uniform(2 * index + 1, seed, Stream::LATENT_CHOICES))};
  for (std::uint32_t block = 0; standard.size() < size_; ++block)
    for (const double value : normal3(index, block, seed, Stream::LATENT_NOISE))
      if (standard.size() < size_) standard.push_back(value);
  std::vector<double> drawn = gaussian.mean;
  for (std::size_t i = 0; i < size_; ++i)
    for (std::size_t k = 0; k <= i; ++k) drawn[i] += gaussian.root[i * size_ + k] * standard[k];
  return {std::vector<double>(drawn.begin() + 1, drawn.end()), drawn[0]};
}

double LatentDensity::below(double energy) const
{
  double sum = 0.0;
  for (const Gaussian &gaussian : gaussians_)
    sum += gaussian.weight * normal_below((energy - gaussian.energy) / gaussian.spread);
  return sum;
}

double LatentDensity::quantile(double share) const
{
  double from = std::numeric_limits<double>::infinity(), to = -from;
  for (const Gaussian &gaussian : gaussians_) {
    from = std::min(from, gaussian.energy - FARTHEST * gaussian.spread);
    to = std::max(to, gaussian.energy + FARTHEST * gaussian.spread);
  }
  return solve(from, to, share, [this](double energy) { return below(energy); });
}

LatentDensity read_latent_density(const ModelFile &file)
{
  std::optional<LatentDensity> density;
  read_checked(file, [&] {
    const json document = json::parse(file.metadata_text());
    const auto n = static_cast<std::size_t>(size_of(document.at("hyperparameters"), "components", 1, MAX_GAUSSIANS));
    const std::size_t size = file.metadata().generator.properties.size() + 1;
    const Weights weights(file.native_weights());
    density.emplace(weights.tensor("density_weight", {n}), weights.tensor("density_mean", {n, size}),
                    weights.tensor("density_covariance", {n, size, size}));
  });
  return std::move(*density);
}

}    // namespace vitrify
