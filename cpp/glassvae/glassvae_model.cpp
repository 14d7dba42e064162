// SPDX-License-Identifier: BSD-3-Clause
#include "glassvae/glassvae_model.h"

#include "base/error.h"
#include "base/json.h"
#include "modelfile/hyperparameters.h"
#include "modelfile/weights.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace vitrify {

namespace {

constexpr int MAX_WIDTH_OF_ATOM = 1024;

Dense read_dense(const Weights &weights, const std::string &name, std::size_t inputs, std::size_t outputs,
                 bool biased = true)
{
  return {inputs, outputs, weights.tensor(name + ".weight", {outputs, inputs}),
          biased ? weights.tensor(name + ".bias", {outputs}) : std::vector<double>{}};
}

Perceptron read_perceptron(const Weights &weights, const std::string &name, std::size_t inputs, std::size_t hidden,
                           std::size_t outputs)
{
  return {read_dense(weights, name + ".linear", inputs, outputs), read_dense(weights, name + ".first", inputs, hidden),
          read_dense(weights, name + ".second", hidden, hidden),
          read_dense(weights, name + ".out", hidden, outputs, false)};
}

std::vector<double> read_spreads(const Weights &weights, const std::string &name, const std::vector<std::size_t> &shape)
{
  std::vector<double> values = weights.tensor(name, shape);
  for (const double value : values)
    if (!(value > 0.0)) throw Error(name + " holds a value that is not positive: export the model again");
  return values;
}

}    // namespace

GlassVAEModel::GlassVAEModel(const ModelFile &file)
{
  const Metadata &metadata = file.metadata();
  if (metadata.kind != "glassvae")
    throw Error("model file " + file.path() + " is of kind " + metadata.kind + ", not glassvae");
  if (!file.has_native_weights() || metadata.variant != "equivariant")
    throw Error("model file " + file.path() + " has no weights for the native engine (variant " + metadata.variant +
                "): use engine torch, or a model of variant equivariant");
  read_checked(file, [&] {
    read_hyperparameters(file);
    read_weights(file);
  });
}

void GlassVAEModel::read_hyperparameters(const ModelFile &file)
{
  const Metadata &metadata = file.metadata();
  const json document = json::parse(file.metadata_text()).at("hyperparameters");
  width = size_of(document, "width", 8, MAX_WIDTH_OF_ATOM);
  splines = size_of(document, "splines", 1);
  hidden = size_of(document, "hidden", 1);
  latent = size_of(document, "latent", 1);
  summary = size_of(document, "summary", 1);
  document.at("start").get_to(start);
  cutoff = metadata.cutoff;
  n_species = static_cast<int>(std::min<std::size_t>(metadata.species.size(), MAX_SIZE + 1));
  if (n_species > MAX_SIZE || latent != metadata.latent || metadata.layers != 1 || !std::isfinite(cutoff) ||
      !(start >= 0.0 && start < cutoff))
    throw Error("its hyperparameters contradict one another: export the model again");
  check_node_width(metadata, 4 * width + 1);
}

void GlassVAEModel::read_weights(const ModelFile &file)
{
  const Weights weights(file.native_weights());
  const std::size_t s = n_species, k = splines, w = width, h = hidden, z = latent, p = summary;
  radial = weights.tensor("invariants.weight", {s * s, k, w});
  mix = weights.tensor("invariants.mix", {2, w, 2 * w});
  shift = weights.tensor("invariants.shift", {4 * w});
  scale = read_spreads(weights, "invariants.scale", {4 * w});
  pair_radial = weights.tensor("edge_path.weight", {s * s, k, p});
  least = weights.tensor("least", {s, s});
  reference = weights.tensor("reference", {s});
  energy_scale = read_spreads(weights, "energy_scale", {})[0];
  graph_path = read_perceptron(weights, "graph_path", 4 * w, h, 2 * z);
  energy.linear = read_dense(weights, "energy.linear", 4 * w, 1);
  energy.first = read_dense(weights, "energy.first", 4 * w, h);
  energy.second = read_dense(weights, "energy.second", h, h);
  energy.out = read_dense(weights, "energy.out", h, 1);
  species = weights.tensor("energy.species", {s, h});
  latent_layer = read_dense(weights, "energy.latent", z, h, false);
  head.latent = z;
  head.summary = p;
  head.pooled_shift = weights.tensor("pooled_shift", {p});
  head.pooled_scale = read_spreads(weights, "pooled_scale", {p});
  for (const char *name : {"edge_blocks.0", "edge_blocks.1"})
    head.edge_blocks.push_back({read_dense(weights, std::string(name) + ".inner", p, 2 * p),
                                read_dense(weights, std::string(name) + ".outer", 2 * p, p)});
  head.posterior = read_perceptron(weights, "posterior", 2 * z + p, h, 2 * z);
  head.fusion = read_perceptron(weights, "fusion", z + p, h, 1);
}

}    // namespace vitrify
