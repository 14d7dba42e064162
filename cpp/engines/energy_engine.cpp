// SPDX-License-Identifier: BSD-3-Clause
#include "engines/energy_engine.h"

namespace vitrify {

namespace {

// Zeros for the atoms and their images.
EnergyPrediction empty_prediction(const Configuration &c)
{
  EnergyPrediction found;
  found.energies.assign(static_cast<std::size_t>(c.n_owned), 0.0);
  found.forces.assign(3 * static_cast<std::size_t>(c.n_nodes), 0.0);
  return found;
}

EnergyResult places_of(EnergyPrediction &found)
{ return {found.energies.data(), found.forces.data(), found.virial.data(), nullptr}; }

// Forces on images belong to their owners.
void gather_forces(const PeriodicSystem &system, EnergyPrediction &found)
{
  const std::size_t n_owned = found.energies.size(), n_nodes = found.forces.size() / 3;
  for (std::size_t node = n_owned; node < n_nodes; ++node)
    for (std::size_t k = 0; k < 3; ++k)
      found.forces[3 * static_cast<std::size_t>(system.owners()[node]) + k] += found.forces[3 * node + k];
  found.forces.resize(3 * n_owned);
}

}    // namespace

EnergyPrediction predict(EnergyEngine &engine, const PeriodicSystem &system)
{
  const Configuration c = system.configuration();
  EnergyPrediction found = empty_prediction(c);
  engine.begin(c);
  engine.set_pooled(engine.pooled_features().data());
  found.latent = engine.latent();
  engine.finish(engine.pooled_gradient().data(), places_of(found));
  gather_forces(system, found);
  return found;
}

EnergyPrediction predict(RepulsiveCore &core, const PeriodicSystem &system)
{
  const Configuration c = system.configuration();
  EnergyPrediction found = empty_prediction(c);
  core.add(c, places_of(found));
  gather_forces(system, found);
  return found;
}

}    // namespace vitrify
