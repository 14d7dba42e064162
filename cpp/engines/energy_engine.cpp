// SPDX-License-Identifier: BSD-3-Clause
#include "engines/energy_engine.h"

#include <cstddef>
#include <vector>

namespace vitrify {

namespace {

// The rows of images are added to those of their owners, which are all that is left of (n_nodes, columns).
void gather(std::vector<double> &values, std::size_t columns, const PeriodicSystem &system, std::size_t n_owned)
{
  for (std::size_t node = n_owned; node < values.size() / columns; ++node)
    for (std::size_t k = 0; k < columns; ++k)
      values[columns * static_cast<std::size_t>(system.owners()[node]) + k] += values[columns * node + k];
  values.resize(columns * n_owned);
}

}    // namespace

EnergyPrediction predict(EnergyEngine &engine, const PeriodicSystem &system)
{
  const Configuration c = system.configuration();
  const auto n_owned = static_cast<std::size_t>(c.n_owned), n_nodes = static_cast<std::size_t>(c.n_nodes);
  EnergyPrediction found;
  found.energies.assign(n_owned, 0.0);
  found.forces.assign(3 * n_nodes, 0.0);
  found.virials.assign(6 * n_nodes, 0.0);
  engine.begin(c);
  engine.set_pooled(engine.pooled_features().data());
  found.latent = engine.latent();
  EnergyResult result;
  result.energies = found.energies.data();
  result.forces = found.forces.data();
  result.virials = found.virials.data();
  result.virial = found.virial.data();
  engine.finish(engine.pooled_gradient().data(), result);
  gather(found.forces, 3, system, n_owned);
  gather(found.virials, 6, system, n_owned);
  return found;
}

}    // namespace vitrify
