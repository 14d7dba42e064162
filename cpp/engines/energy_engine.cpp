// SPDX-License-Identifier: BSD-3-Clause
#include "engines/energy_engine.h"

#include "base/geometry.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace vitrify {

namespace {

struct Component {
  int a, b, virial;    // of a tensor, and where the virial has it
};

constexpr Component COMPONENTS[] = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {0, 1, 3}, {0, 2, 4},
                                    {1, 2, 5}, {1, 0, 3}, {2, 0, 4}, {2, 1, 5}};

}    // namespace

EnergyPrediction predict(EnergyEngine &engine, const PeriodicSystem &system)
{
  const Configuration c = system.configuration();
  const auto n_owned = static_cast<std::size_t>(c.n_owned);
  EnergyPrediction found;
  found.energies.assign(n_owned, 0.0);
  found.forces.assign(3 * static_cast<std::size_t>(c.n_nodes), 0.0);
  engine.begin(c);
  engine.head(engine.pooled_features().data());
  found.latent = engine.latent();
  TorchEnergies result;
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

double reference_error(EnergyEngine &engine, const Metadata &metadata)
{
  const ReferenceCase &reference = metadata.reference;
  PeriodicSystem system;
  system.build(reference.cell, reference.types.size(), reference.positions[0].data(), nullptr, reference.types.data(),
               metadata.cutoff);
  const EnergyPrediction got = predict(engine, system);
  const double energy = std::accumulate(got.energies.begin(), got.energies.end(), 0.0);
  const double volume = std::fabs(signed_volume(reference.cell));
  std::vector<double> stress, expected;
  for (const Component &c : COMPONENTS) {
    stress.push_back(-got.virial[c.virial] / volume);
    expected.push_back(reference.stress[c.a][c.b]);
  }
  return std::max({relative_error({energy}, {reference.energy}), relative_error(got.forces, reference.first),
                   relative_error(stress, expected), relative_error(got.latent, reference.latent)});
}

}    // namespace vitrify
