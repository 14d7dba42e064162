// SPDX-License-Identifier: BSD-3-Clause
#include "engines/energy_engine.h"

namespace vitrify {

EnergyPrediction predict(EnergyEngine &engine, const PeriodicSystem &system)
{
  const Configuration c = system.configuration();
  const auto n_owned = static_cast<std::size_t>(c.n_owned);
  EnergyPrediction found;
  found.energies.assign(n_owned, 0.0);
  found.forces.assign(3 * static_cast<std::size_t>(c.n_nodes), 0.0);
  engine.begin(c);
  engine.set_pooled(engine.pooled_features().data());
  found.latent = engine.latent();
  EnergyResult result;
  result.energies = found.energies.data();
  result.forces = found.forces.data();
  result.virial = found.virial.data();
  engine.finish(engine.pooled_gradient().data(), result);
  for (std::size_t node = n_owned; node < static_cast<std::size_t>(c.n_nodes); ++node)
    for (std::size_t k = 0; k < 3; ++k)
      found.forces[3 * static_cast<std::size_t>(system.owners()[node]) + k] += found.forces[3 * node + k];
  found.forces.resize(3 * n_owned);
  return found;
}

}    // namespace vitrify
