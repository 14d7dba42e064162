// SPDX-License-Identifier: BSD-3-Clause
#include "symgnn/symgnn_model.h"

#include "base/error.h"
#include "base/json.h"
#include "modelfile/hyperparameters.h"
#include "modelfile/weights.h"
#include "symgnn/stiffness.h"
#include "symgnn/symgnn_kernels.h"

#include <algorithm>

namespace vitrify {

namespace {

constexpr int MAX_DEGREE = 32;
constexpr int MAX_DESCRIPTORS = 1 << 24;

}    // namespace

SymGNNModel::SymGNNModel(const ModelFile &file)
{
  if (!file.has_native_weights() || file.metadata().variant != "exact")
    throw Error("model file " + file.path() + " has no weights for the native engine (variant " +
                file.metadata().variant + "): use engine torch, or a model of variant exact");
  read_checked(file, [&] {
    read_hyperparameters(file);
    read_weights(file);
  });
}

void SymGNNModel::read_hyperparameters(const ModelFile &file)
{
  const Metadata &metadata = file.metadata();
  const json document = json::parse(file.metadata_text()).at("hyperparameters");
  basis = size_of(document, "basis", 2);
  degree = size_of(document, "degree", 0, MAX_DEGREE);
  shells = size_of(document, "shells", 1);
  members = size_of(document, "members", 1);
  fields = size_of(document, "fields", 1);
  hidden = size_of(document, "hidden", 0);
  document.at("stiffness").get_to(stiffness);
  document.at("inner").get_to(inner);
  document.at("core").get_to(core);
  cutoff = metadata.cutoff;
  n_species = static_cast<int>(std::min<std::size_t>(metadata.species.size(), MAX_SIZE + 1));
  if (n_species > MAX_SIZE || metadata.layers != (stiffness ? 2 + HOPS : 2) ||
      !(core >= 0.0 && core < inner && inner <= cutoff))
    throw Error("its hyperparameters contradict one another: export the model again");
  check_node_width(metadata, stiffness ? std::max(members * fields, 6) : members * fields);
  // python/vitrify/symgnn/models/descriptors.py: n_invariants.
  const double s = n_species, pairs = s * (s - 1.0) / 2.0;
  const double count = 2.0 * s * basis + degree * (s * basis + pairs * basis + s * (basis - 1.0));
  if (count > MAX_DESCRIPTORS) throw Error("its hyperparameters make too many descriptors: export the model again");
  n_descriptors = static_cast<int>(count) + (stiffness ? N_STIFFNESS : 0);
}

void SymGNNModel::read_weights(const ModelFile &file)
{
  const Weights weights(file.native_weights());
  const std::size_t s = n_species, d = n_descriptors, m = members, c = fields, k = shells;
  const std::size_t h = std::max(1, hidden);
  weights.tensor("whiten", {0, 0});    // it is in the weights of the fields
  centre = weights.tensor("centre", {d});
  shell_scale = weights.tensor("shell_scale", {k});
  pair_table = weights.tensor("pair_table", {stiffness ? s * (s + 1) / 2 : 0, KNOTS, 3});
  field_weight = weights.tensor("field_weight", {s, d, m, c + 1});
  field_bias = weights.tensor("field_bias", {s, m, c + 1});
  readout = weights.tensor("readout", {s, m, k + 1, c});
  first_weight = weights.tensor("first_weight", {m, (k + 1) * c, h});
  first_bias = weights.tensor("first_bias", {s, m, h});
  last_weight = weights.tensor("last_weight", {m, h});
  label_mean = weights.tensor("label_mean", {s});
  label_scale = weights.tensor("label_scale", {})[0];
  residual = weights.tensor("residual", {})[0];
  spread_gain = weights.tensor("spread_gain", {})[0];
}

}    // namespace vitrify
