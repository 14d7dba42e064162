// SPDX-License-Identifier: BSD-3-Clause
#include "engines/energy_engine.h"

#include <cstddef>
#include <vector>

namespace vitrify {

namespace {

// Zeros for the atoms and their images.
EnergyPrediction empty_prediction(const Configuration &c)
{
  EnergyPrediction found;
  found.energies.assign(static_cast<std::size_t>(c.n_owned), 0.0);
  found.forces.assign(3 * static_cast<std::size_t>(c.n_nodes), 0.0);
  found.virials.assign(6 * static_cast<std::size_t>(c.n_nodes), 0.0);
  return found;
}

EnergyResult places_of(EnergyPrediction &found)
{ return {found.energies.data(), found.forces.data(), found.virial.data(), found.virials.data()}; }

// The rows of images are added to those of their owners, which are all that is left of (n_nodes, columns).
void gather(std::vector<double> &values, std::size_t columns, const PeriodicSystem &system, std::size_t n_owned)
{
  for (std::size_t node = n_owned; node < values.size() / columns; ++node)
    for (std::size_t k = 0; k < columns; ++k)
      values[columns * static_cast<std::size_t>(system.owners()[node]) + k] += values[columns * node + k];
  values.resize(columns * n_owned);
}

void gather(EnergyPrediction &found, const PeriodicSystem &system)
{
  gather(found.forces, 3, system, found.energies.size());
  gather(found.virials, 6, system, found.energies.size());
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
  gather(found, system);
  return found;
}

EnergyPrediction predict(RepulsiveCore &core, const PeriodicSystem &system)
{
  const Configuration c = system.configuration();
  EnergyPrediction found = empty_prediction(c);
  core.add(c, places_of(found));
  gather(found, system);
  return found;
}

}    // namespace vitrify
