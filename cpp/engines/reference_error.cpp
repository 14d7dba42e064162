// SPDX-License-Identifier: BSD-3-Clause
#include "engines/reference_error.h"

#include "base/geometry.h"
#include "engines/periodic_host.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace vitrify {

namespace {

struct Component {
  int a, b, virial;    // of a tensor, and where the virial has it
};

// Of errors in the order of the tolerances.
Deviation worst_of(const std::vector<double> &errors, const ReferenceCase &reference)
{
  Deviation worst;
  for (std::size_t output = 0; output < errors.size(); ++output) {
    const Deviation found{errors[output], reference.allowed(output)};
    if (output == 0 || found.error * worst.allowed > worst.error * found.allowed) worst = found;
  }
  return worst;
}

constexpr Component COMPONENTS[] = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {0, 1, 3}, {0, 2, 4},
                                    {1, 2, 5}, {1, 0, 3}, {2, 0, 4}, {2, 1, 5}};

}    // namespace

double relative_error(const std::vector<double> &got, const std::vector<double> &expected)
{
  double square = 0.0;
  double worst = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::fabs(got[i] - expected[i]);
    if (!std::isfinite(error)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, error);
    square += expected[i] * expected[i];
  }
  const double rms = std::sqrt(square / static_cast<double>(expected.size()));
  return worst / (rms > 0.0 ? rms : 1.0);
}

Deviation reference_deviation(Engine &engine, const Metadata &metadata)
{
  const ReferenceCase &reference = metadata.reference;
  const std::size_t n = reference.types.size();
  PeriodicHost host;
  host.system.build(reference.cell, n, reference.positions[0].data(),
                    reference.velocities.empty() ? nullptr : reference.velocities[0].data(), reference.types.data(),
                    metadata.cutoff);
  std::vector<double> first(reference.first.size()), second(reference.second.size());
  const bool with_virial = !reference.virial.empty() && engine.has_virial();
  std::array<double, 6> virial{};
  host.predict(engine, metadata.layers, first.data(), second.data(), with_virial ? &virial : nullptr);
  std::vector<double> errors{relative_error(first, reference.first)};
  if (!second.empty()) errors.push_back(relative_error(second, reference.second));
  if (with_virial) errors.push_back(relative_error({virial.begin(), virial.end()}, reference.virial));
  return worst_of(errors, reference);
}

Deviation reference_deviation(EnergyEngine &engine, const Metadata &metadata)
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
  return worst_of({relative_error({energy}, {reference.energy}), relative_error(got.forces, reference.first),
                   relative_error(stress, expected), relative_error(got.latent, reference.latent)},
                  reference);
}

}    // namespace vitrify
