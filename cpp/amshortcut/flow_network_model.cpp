// SPDX-License-Identifier: BSD-3-Clause
#include "amshortcut/flow_network_model.h"

#include "base/error.h"
#include "base/json.h"
#include "modelfile/hyperparameters.h"
#include "modelfile/weights.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

namespace {

constexpr int MAX_WIDTH_OF_ATOM = 1024, MAX_LAYERS = 64;
// The embedding of a time: python/vitrify/amshortcut/models/base.py.
constexpr int OCTAVES = 8, WAVES = 2 * OCTAVES + 1;
constexpr double PI = 3.14159265358979323846, MOST_STANDARD = 4.0;

void append_waves(double value, std::vector<double> &to)
{
  to.push_back(value);
  for (int k = 0; k < OCTAVES; ++k) to.push_back(std::sin(value * 0.5 * PI * std::pow(2.0, 0.75 * k)));
  for (int k = 0; k < OCTAVES; ++k) to.push_back(std::cos(value * 0.5 * PI * std::pow(2.0, 0.75 * k)));
}

// weight (outputs, inputs) times x, plus bias
std::vector<double> linear(const std::vector<double> &weight, const std::vector<double> &bias,
                           const std::vector<double> &x)
{
  std::vector<double> y = bias;
  for (std::size_t o = 0; o < y.size(); ++o)
    for (std::size_t k = 0; k < x.size(); ++k) y[o] += weight[o * x.size() + k] * x[k];
  return y;
}

void silu(std::vector<double> &values)
{
  for (double &value : values) value /= 1.0 + std::exp(-value);
}

}    // namespace

FlowSettings::FlowSettings(const ModelFile &file, const std::string &part_of_model) : part(part_of_model)
{
  const Metadata &metadata = file.metadata();
  if (!file.has_native_weights() || metadata.generator.process != "flow")
    throw Error("model file " + file.path() + " has no weights for the native engine (variant " + metadata.variant +
                "): use engine torch, or a model of variant flow");
  read_checked(file, [&] { read(file); });
}

void FlowSettings::read(const ModelFile &file)
{
  const Metadata &metadata = file.metadata();
  const bool is_part = !part.empty();
  const json all = json::parse(file.metadata_text()).at("hyperparameters");
  const json &own = is_part ? all.at(part) : all;
  layers = is_part ? size_of(own, "layers", 1, MAX_LAYERS) : metadata.layers;
  width = size_of(own, "width", 8, MAX_WIDTH_OF_ATOM);
  splines = size_of(own, "splines", 1);
  condition = size_of(own, "condition", 1);
  cutoff = is_part ? own.at("cutoff").get<double>() : metadata.cutoff;
  own.at("spread").get_to(spread);
  churn_spread = own.value("churn_spread", spread);
  if (!(spread >= 0.0 && churn_spread >= 0.0)) throw Error("the spread is negative: export the model again");
  if (width % 8 != 0)
    throw Error("the hyperparameter width is " + std::to_string(width) +
                ", not a multiple of 8: export the model again");
  if (metadata.species.size() > MAX_SIZE || metadata.generator.properties.size() > MAX_SIZE || layers < 1 ||
      layers > MAX_LAYERS || !(cutoff > 0.0) || !std::isfinite(cutoff))
    throw Error("its hyperparameters contradict one another: export the model again");
  if (!is_part) check_node_width(metadata, width);
}

FlowNetworkModel::FlowNetworkModel(const ModelFile &file, const FlowSettings &settings) :
    sizes(settings), n_species(static_cast<int>(file.metadata().species.size())),
    n_properties(static_cast<int>(file.metadata().generator.properties.size())), width(settings.width),
    splines(settings.splines), condition(settings.condition), cutoff(settings.cutoff),
    layers(static_cast<std::size_t>(settings.layers))
{
  read_checked(file, [&] { read_weights(file, settings.part.empty() ? "" : settings.part + "."); });
}

void FlowNetworkModel::read_weights(const ModelFile &file, const std::string &prefix)
{
  const Weights weights(file.native_weights());
  const auto tensor = [&](const std::string &name, const std::vector<std::size_t> &shape) {
    return weights.tensor(prefix + name, shape);
  };
  const std::size_t s = n_species, p = n_properties, w = width, c = condition;
  embedding = tensor("embedding", {s, w});
  property_mean = tensor("condition.property_mean", {p});
  property_scale = tensor("condition.property_scale", {p});
  for (const double scale : property_scale)
    if (!(scale > 0.0)) throw Error("the spread of a property is not positive: export the model again");
  times = tensor("condition.times.weight", {c, 2 * WAVES});
  times_bias = tensor("condition.times.bias", {c});
  known = tensor("condition.weight", {p, 2, c});
  unknown = tensor("condition.null", {p, c});
  mix = tensor("condition.mix.weight", {c, c});
  mix_bias = tensor("condition.mix.bias", {c});
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const std::string name = "blocks." + std::to_string(l) + ".";
    const std::size_t scalars = l == 0 ? 5 : 6, vectors = l == 0 ? 1 : 3, filters = l == 0 ? w : 2 * w;
    Layer &layer = layers[l];
    layer.filters = tensor(name + "filters.weight", {1, static_cast<std::size_t>(splines), filters});
    layer.mix = tensor(name + "mix", {vectors * w, 2 * w});
    layer.hidden = tensor(name + "hidden.weight", {2 * w, scalars * w});
    layer.hidden_bias = tensor(name + "hidden.bias", {2 * w});
    layer.modulation = tensor(name + "modulation.weight", {4 * w, c});
    layer.modulation_bias = tensor(name + "modulation.bias", {4 * w});
    layer.out = tensor(name + "out.weight", {3 * w, 2 * w});
    layer.out_bias = tensor(name + "out.bias", {3 * w});
  }
  gate = tensor("gate.weight", {w, w});
  gate_bias = tensor("gate.bias", {w});
}

std::vector<double> FlowNetworkModel::condition_of(double time, double step, const double *properties,
                                                   const double *is_known) const
{
  std::vector<double> waves;
  append_waves(time, waves);
  append_waves(step, waves);
  std::vector<double> found = linear(times, times_bias, waves);
  const std::size_t c = found.size();
  for (std::size_t p = 0; p < property_mean.size(); ++p) {
    // A property that is not asked for may be anything, such as NaN.
    const double value = is_known[p] != 0.0 ? properties[p] : property_mean[p];
    const double standard = std::clamp((value - property_mean[p]) / property_scale[p], -MOST_STANDARD, MOST_STANDARD);
    const double *line = known.data() + 2 * c * p, *bend = line + c, *null = unknown.data() + c * p;
    for (std::size_t k = 0; k < c; ++k)
      found[k] += is_known[p] * (standard * line[k] + std::tanh(standard) * bend[k]) + (1.0 - is_known[p]) * null[k];
  }
  silu(found);
  std::vector<double> mixed = linear(mix, mix_bias, found);
  silu(mixed);
  return mixed;
}

std::vector<double> FlowNetworkModel::modulation(double time, double step, const double *properties,
                                                 const double *is_known) const
{
  const std::vector<double> embedded = condition_of(time, step, properties, is_known);
  std::vector<double> values;
  for (const Layer &layer : layers) {
    const std::vector<double> both = linear(layer.modulation, layer.modulation_bias, embedded);
    for (std::size_t k = 0; k < both.size(); ++k) values.push_back(2 * k < both.size() ? 1.0 + both[k] : both[k]);
  }
  return values;
}

}    // namespace vitrify
