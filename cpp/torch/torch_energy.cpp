// SPDX-License-Identifier: BSD-3-Clause
#include "torch/torch_energy.h"

#include "base/error.h"
#include "base/species_pair.h"

#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrify {

namespace {

// Larger chunks are hardly faster.
constexpr std::int64_t CHUNK = 500;

// Runs a program without optimising it, and records its operations for derivatives if `with_gradient`.
struct Mode {
  explicit Mode(bool with_gradient) : gradient(with_gradient) {}
  const at::AutoGradMode gradient;
  const torch::jit::GraphOptimizerEnabledGuard plain{false};
};

std::vector<double> to_host(const at::Tensor &tensor)
{
  const at::Tensor values = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  const double *data = values.const_data_ptr<double>();
  return {data, data + values.numel()};
}

// A copy that later operations are differentiated by.
at::Tensor leaf(const at::Tensor &tensor)
{ return tensor.detach().clone().requires_grad_(); }

}    // namespace

TorchGlassVAE::TorchGlassVAE(const EngineOptions &options) :
    TorchGlassVAE(TorchProgram(options, {"atoms", "head", "energies"}))
{
}

TorchGlassVAE::TorchGlassVAE(TorchProgram program) : EnergyEngine(program.metadata()), program_(std::move(program))
{
  const Metadata &model = program_.metadata();
  // Others exchange features between neighbours, or know atoms by their number: neither exists for ghosts.
  if (model.variant != "equivariant")
    throw Error("model file " + program_.path() + " is of variant " + model.variant +
                ", which needs all atoms in one place and in one order: use it in ASE (GlassCalc), or give a model of "
                "variant equivariant");
  closest_.assign(model.species.size() * (model.species.size() + 1) / 2, std::numeric_limits<double>::infinity());
  // An atom without neighbours tells how many pooled features there are, before there are any atoms.
  const Mode mode(false);
  const std::int64_t type = 0;
  n_pooled_ =
      atoms({0, 1, program_.integers(&type, 1), edges_.index_on(program_), edges_.vectors_on(program_)}).at(1).size(1);
}

// Every edge of the chunk's atoms, as centres; ghosts are neighbours alone.
void TorchGlassVAE::find_edges(Chunk &chunk)
{
  const Configuration &c = configuration_;
  const double cutoff = program_.metadata().cutoff;
  edges_.clear();
  nodes_.clear();
  types_.assign(c.types + chunk.first, c.types + chunk.first + chunk.n);
  CellRange ranges[MAX_RANGES];
  for (std::int64_t i = chunk.first; i < chunk.first + chunk.n; ++i) {
    const double *own = c.positions + 3 * i;
    const int n_ranges = grid_.ranges(own, ranges);
    for (const CellRange *range = ranges; range < ranges + n_ranges; ++range)
      for (int k = range->first; k < range->last; ++k) {
        const int j = grid_.ids()[k];
        const std::array<double, 3> d{grid_.axis(0)[k] - own[0], grid_.axis(1)[k] - own[1], grid_.axis(2)[k] - own[2]};
        const double square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
        if (j == i || !(square < cutoff * cutoff)) continue;
        double &least = squares_[pair_of_species(c.types[i], c.types[j])];
        least = std::min(least, square);
        edges_.add(i - chunk.first, static_cast<std::int64_t>(types_.size()), d);
        nodes_.push_back(j);
        types_.push_back(c.types[j]);
      }
  }
  chunk.edge_index = edges_.index_on(program_);
  chunk.edge_vectors = edges_.vectors_on(program_);
}

void TorchGlassVAE::for_chunks(bool with_edges, const std::function<void(Chunk &)> &action)
{
  const Configuration &c = configuration_;
  for (std::int64_t first = 0; first < c.n_owned; first += CHUNK) {
    Chunk chunk{first, std::min(CHUNK, c.n_owned - first), {}, {}, {}};
    if (with_edges)
      find_edges(chunk);
    else
      types_.assign(c.types + first, c.types + first + chunk.n);
    chunk.types = program_.integers(types_.data(), static_cast<std::int64_t>(types_.size()));
    action(chunk);
  }
}

std::vector<at::Tensor> TorchGlassVAE::atoms(const Chunk &chunk) const
{
  return program_.run("atoms", {chunk.types, chunk.edge_index, chunk.edge_vectors, chunk.n},
                      {{"features", {chunk.n, ANY}}, {"contributions", {chunk.n, n_pooled_}}});
}

// Mean and log variance of z, and the summary.
std::vector<at::Tensor> TorchGlassVAE::head(const at::Tensor &pooled) const
{
  const std::int64_t latent = program_.metadata().latent;
  return program_.run("head", {pooled, counts_},
                      {{"a latent vector", {1, latent}}, {"variances", {1, latent}}, {"a summary", {1, ANY}}});
}

void TorchGlassVAE::begin(const Configuration &configuration)
{
  configuration_ = configuration;
  grid_.build(configuration, program_.metadata().cutoff);
  squares_.assign(closest_.size(), std::numeric_limits<double>::infinity());
  features_.clear();
}

const std::vector<double> &TorchGlassVAE::pooled_features()
{
  const Mode mode(false);
  at::Tensor sum = at::zeros({n_pooled_}, at::dtype(at::kDouble));
  for_chunks(true, [&](Chunk &chunk) {
    const std::vector<at::Tensor> found = atoms(chunk);
    features_.push_back(found.at(0));
    sum += found.at(1).to(at::kDouble).sum(0).to(at::kCPU);
  });
  std::transform(squares_.begin(), squares_.end(), closest_.begin(), [](double square) { return std::sqrt(square); });
  pooled_features_ = to_host(sum);
  pooled_features_.push_back(static_cast<double>(configuration_.n_owned));
  return pooled_features_;
}

void TorchGlassVAE::set_pooled(const double *pooled_features)
{
  const Mode mode(false);
  all_pooled_ = program_.reals(pooled_features, {1, n_pooled_});
  counts_ = program_.reals(pooled_features + n_pooled_, {1});
  latent_ = to_host(head(all_pooled_)[0]);
}

const std::vector<double> &TorchGlassVAE::pooled_gradient()
{
  const Mode mode(true);
  const at::Tensor by_pooled = leaf(all_pooled_);
  const std::vector<at::Tensor> known = head(by_pooled);
  const at::Tensor &mu = known.at(0), &summary = known.at(2);
  const std::vector<at::Tensor> ends = {leaf(mu), leaf(summary)};
  std::vector<at::Tensor> by_ends = {at::zeros_like(mu), at::zeros_like(summary)};
  energies_.clear();
  std::size_t number = 0;
  for_chunks(false, [&](Chunk &chunk) {
    at::Tensor &features = features_.at(number++);
    const at::Tensor by_features = leaf(features);
    const at::Tensor energies =
        program_.run("energies", {by_features, chunk.types, at::zeros_like(chunk.types), ends[0], ends[1]},
                     {{"energies", {chunk.n}}})[0];
    const auto found = program_.gradients({energies.sum()}, {by_features, ends[0], ends[1]});
    features = found[0].defined() ? found[0] : at::zeros_like(by_features);
    for (std::size_t end = 0; end < 2; ++end)
      if (found[end + 1].defined()) by_ends[end] += found[end + 1];
    const std::vector<double> values = to_host(energies);
    energies_.insert(energies_.end(), values.begin(), values.end());
  });
  const at::Tensor gradient = program_.gradients({mu, summary}, {by_pooled}, by_ends)[0];
  pooled_gradient_ = to_host(gradient.defined() ? gradient : at::zeros_like(by_pooled));
  pooled_gradient_.push_back(0.0);    // the number of atoms does not change
  return pooled_gradient_;
}

void TorchGlassVAE::finish(const double *pooled_gradient, const EnergyResult &result)
{
  const Mode mode(true);
  const at::Tensor by_features = program_.reals(pooled_gradient, {1, n_pooled_});
  std::size_t number = 0;
  for_chunks(true, [&](Chunk &chunk) {
    chunk.edge_vectors.requires_grad_();
    const std::vector<at::Tensor> found = atoms(chunk);
    const at::Tensor by_edge = program_.gradients({found[0], found[1]}, {chunk.edge_vectors},
                                                  {features_.at(number++), by_features.expand_as(found[1])})[0];
    add_forces(chunk, to_host(by_edge.defined() ? by_edge : at::zeros_like(chunk.edge_vectors)), result);
  });
  for (std::size_t i = 0; result.energies && i < energies_.size(); ++i) result.energies[i] += energies_[i];
  core_.add(configuration_, closest_, result);
}

// by_edge (E, 3): derivatives of the energy by the edge vectors
void TorchGlassVAE::add_forces(const Chunk &chunk, const std::vector<double> &by_edge, const EnergyResult &result) const
{
  for (std::size_t edge = 0; edge < nodes_.size(); ++edge) {
    const std::size_t i = static_cast<std::size_t>(chunk.first + edges_.centres[edge]);
    const std::size_t j = static_cast<std::size_t>(nodes_[edge]);
    const double *force = by_edge.data() + 3 * edge, *d = edges_.vectors.data() + 3 * edge;
    for (std::size_t k = 0; k < 3; ++k) {
      result.forces[3 * i + k] += force[k];
      result.forces[3 * j + k] -= force[k];
    }
    // Symmetric only in the sum over the neighbours of an atom, because angles matter.
    const double virial[6] = {-d[0] * force[0],
                              -d[1] * force[1],
                              -d[2] * force[2],
                              -0.5 * (d[0] * force[1] + d[1] * force[0]),
                              -0.5 * (d[0] * force[2] + d[2] * force[0]),
                              -0.5 * (d[1] * force[2] + d[2] * force[1])};
    for (std::size_t k = 0; k < 6; ++k) {
      if (result.virial) result.virial[k] += virial[k];
      if (!result.virials) continue;
      result.virials[6 * i + k] += 0.5 * virial[k];
      result.virials[6 * j + k] += 0.5 * virial[k];
    }
  }
}

std::size_t TorchGlassVAE::bytes() const
{
  std::size_t sum = grid_.bytes() + edges_.bytes() + sizeof(std::int64_t) * (nodes_.capacity() + types_.capacity()) +
                    sizeof(double) * energies_.capacity();
  for (const at::Tensor &tensor : features_) sum += tensor.nbytes();
  return sum;
}

}    // namespace vitrify

extern "C" __attribute__((visibility("default"))) vitrify::EnergyEngine *
vitrify_make_torch_glassvae(const vitrify::EngineOptions &options, std::string &message)
{ return vitrify::make_or_explain<vitrify::TorchGlassVAE>(options, message); }
