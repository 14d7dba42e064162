// SPDX-License-Identifier: BSD-3-Clause
#include "engines/repulsive_core.h"

#include "base/species_pair.h"
#include "engines/energy_engine.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

namespace {

// In units of energy, eV or epsilon: 0.6 for a pair at 95% of its smallest distance, 5 at 90% and 40 at 80%, as nuclei
// of metals repel each other there, while time steps of molecular dynamics still follow it. See
// benchmarks/results/glassvae/random_start.md.
constexpr double STRENGTH = 5000.0;

// Adds half of a pair to its centre i: d = r_j - r_i, of length `distance`.
void add_pair(const CoreEnergy &pair, std::size_t i, std::size_t j, const double (&d)[3], double distance,
              const EnergyResult &result)
{
  if (result.energies) result.energies[i] += 0.5 * pair.value;
  double force[3];
  for (int k = 0; k < 3; ++k) {
    force[k] = distance > 0.0 ? 0.5 * pair.slope * d[k] / distance : 0.0;
    result.forces[3 * i + k] += force[k];
    result.forces[3 * j + k] -= force[k];
  }
  constexpr int ROWS[] = {0, 1, 2, 0, 0, 1}, COLUMNS[] = {0, 1, 2, 1, 2, 2};
  for (std::size_t k = 0; k < 6; ++k) {
    const double virial = -d[ROWS[k]] * force[COLUMNS[k]];
    if (result.virial) result.virial[k] += virial;
    if (!result.virials) continue;
    result.virials[6 * i + k] += 0.5 * virial;
    result.virials[6 * j + k] += 0.5 * virial;
  }
}

}    // namespace

CoreEnergy core_energy(double distance, double outer)
{
  if (!(distance < outer)) return {0.0, 0.0};
  const double inside = 1.0 - distance / outer;
  return {STRENGTH * inside * inside * inside, -3.0 * STRENGTH * inside * inside / outer};
}

RepulsiveCore::RepulsiveCore(const std::vector<double> &min_distance, double cutoff) : min_distance_(min_distance)
{
  for (double &distance : min_distance_) {
    distance = std::min(distance, cutoff);
    reach_ = std::max(reach_, distance);
  }
}

void RepulsiveCore::add(const Configuration &c, const std::vector<double> &closest, const EnergyResult &result)
{
  for (std::size_t pair = 0; pair < min_distance_.size(); ++pair)
    if (closest[pair] < min_distance_[pair]) {
      add(c, result);
      return;
    }
}

void RepulsiveCore::add(const Configuration &c, const EnergyResult &result)
{
  if (!(reach_ > 0.0)) return;
  grid_.build(c, reach_);
  CellRange ranges[MAX_RANGES];
  for (std::int64_t i = 0; i < c.n_owned; ++i) {
    const double *own = c.positions + 3 * i;
    const int n_ranges = grid_.ranges(own, ranges);
    for (const CellRange *range = ranges; range < ranges + n_ranges; ++range)
      for (int k = range->first; k < range->last; ++k) {
        const int j = grid_.ids()[k];
        const double d[3] = {grid_.axis(0)[k] - own[0], grid_.axis(1)[k] - own[1], grid_.axis(2)[k] - own[2]};
        const double distance = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
        const double outer = min_distance_[pair_of_species(c.types[i], c.types[j])];
        if (j == i || !(distance < outer)) continue;
        add_pair(core_energy(distance, outer), static_cast<std::size_t>(i), static_cast<std::size_t>(j), d, distance,
                 result);
      }
  }
}

}    // namespace vitrify
