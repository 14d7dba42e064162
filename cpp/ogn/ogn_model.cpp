// SPDX-License-Identifier: BSD-3-Clause
#include "ogn/ogn_model.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "modelfile/hyperparameters.h"
#include "modelfile/weights.h"

namespace vitrify {

namespace {

std::vector<double> slice(const std::vector<double> &values, std::size_t first, std::size_t count)
{
  return {values.begin() + static_cast<std::ptrdiff_t>(first),
          values.begin() + static_cast<std::ptrdiff_t>(first + count)};
}

}    // namespace

OGNModel::OGNModel(const ModelFile &file)
{
  if (!file.has_native_weights())
    throw Error("model file " + file.path() +
                " has no weights for the native engine: use engine torch, or export the " +
                "model again if it is of variant pair");
  read_checked(file, [&] {
    read_hyperparameters(file);
    read_weights(file);
  });
}

void OGNModel::read_hyperparameters(const ModelFile &file)
{
  const Metadata &metadata = file.metadata();
  const json document = json::parse(file.metadata_text()).at("hyperparameters");
  channels = size_of(document, "channels", 1);
  scalars = size_of(document, "scalars", 1);
  hidden = size_of(document, "hidden", 1);
  basis = size_of(document, "basis", 1);
  moments = size_of(document, "moments", 0);
  has_stress = document.contains("stress") && size_of(document, "stress", 0) > 0;
  document.at("reach").get_to(reach);
  document.at("core").get_to(core);
  const auto cutoffs = document.at("cutoffs").get<std::vector<double>>();
  cutoff = metadata.cutoff;
  timestep = metadata.timestep;
  density = metadata.validity.number_density[1];
  n_species = static_cast<int>(metadata.species.size());
  n_pairs = n_species * (n_species + 1) / 2;
  if (moments > 1 || n_species > MAX_SIZE || metadata.layers > MAX_SIZE ||
      cutoffs.size() != static_cast<std::size_t>(metadata.layers) || !(reach > 0.0))
    throw Error("its hyperparameters contradict one another: export the model again");
  for (const double one : cutoffs) {
    if (!(one <= cutoff && core < one - reach))
      throw Error("a stage has the cutoff " + number(one) + ", outside of the model's: export the model again");
    stages.emplace_back();
    stages.back().cutoff = one;
  }
  check_node_width(metadata, 3 + channels + 9 * moments);
}

void OGNModel::read_weights(const ModelFile &file)
{
  const Weights weights(file.native_weights());
  const std::size_t a = n_species, p = n_pairs, s = stages.size(), c = channels, f = scalars, h = hidden, b = basis;
  const std::size_t k = n_filters(), inputs = n_inputs();
  const auto masses = weights.tensor("masses", {a}), dv_scale = weights.tensor("dv_scale", {a});
  double scale = 0.0;
  for (std::size_t t = 0; t < a; ++t) scale += masses[t] * dv_scale[t] / static_cast<double>(a);
  // The metadata has the masses in double. The weights have them in the model's precision, and their rounding would
  // change the momentum a little in every stride.
  for (const double mass : file.metadata().masses) {
    if (!(mass > 0.0)) throw Error("a mass of its metadata is not positive: export the model again");
    step_scale.push_back(scale / mass);
  }
  embedding = weights.tensor("embedding", {a, f});
  const auto times = weights.tensor("times", {s}), moves = weights.tensor("weights", {a, s, s, c});
  const auto recall = weights.tensor("recall", {s, s}), ends = weights.tensor("ends", {2, s, c});
  end_dr = slice(ends, 0, s * c);
  end_dv = slice(ends, s * c, s * c);
  for (std::size_t l = 0; l < s; ++l) {
    PairStage &stage = stages[l];
    const std::string prefix = "stages." + std::to_string(l) + ".";
    stage.time = times[l];
    stage.splines = weights.tensor(prefix + "filters.weight", {p, b, k});
    stage.input = weights.tensor(prefix + "update.0.weight", {h, inputs});
    stage.input_bias = weights.tensor(prefix + "update.0.bias", {h});
    stage.output = weights.tensor(prefix + "update.2.weight", {f, h});
    stage.output_bias = weights.tensor(prefix + "update.2.bias", {f});
    stage.gates = weights.tensor(prefix + "gates.weight", {c, f});
    if (has_stress)
      stage.stress = weights.tensor("stress." + std::to_string(l) + ".weights",
                                    {p, static_cast<std::size_t>(n_stress_rows()), 1 + c});
    for (std::size_t t = 0; t < a; ++t) {
      const auto row = slice(moves, (t * s + l) * s * c, s * c);
      stage.displacements.insert(stage.displacements.end(), row.begin(), row.end());
    }
    // Row l - 1 of the matrix weights the moments of the stages before stage l.
    if (l > 0) stage.recall = slice(recall, (l - 1) * s, s);
  }
}

}    // namespace vitrify
