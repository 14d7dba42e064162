// SPDX-License-Identifier: BSD-3-Clause
#include "generation/flow_start.h"

#include "base/counter_rng.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

namespace {

// Adds normal noise of a size to all positions.
void add_noise(std::vector<double> &positions, double size, int step, std::uint32_t seed, Stream stream)
{
  for (std::size_t i = 0; i < positions.size() / 3; ++i) {
    const auto noise = normal3(i + 1, static_cast<std::uint64_t>(step), seed, stream);    // as LAMMPS counts atoms
    for (std::size_t k = 0; k < 3; ++k) positions[3 * i + k] += size * noise[k];
  }
}

}    // namespace

std::vector<double> lattice(const std::array<Vector3, 3> &cell, std::size_t n, std::uint32_t seed,
                            std::uint32_t species)
{
  const double spacing = std::cbrt(std::fabs(signed_volume(cell)) / static_cast<double>(n));
  const auto number = [&](int d) {
    const double wanted = std::max(1.0, std::floor(cell_height(cell, d) / spacing + 0.5));
    return static_cast<std::size_t>(std::min(wanted, static_cast<double>(n)));
  };
  const std::size_t layers = number(2), rows = number(1);
  const Stream stream = sites_stream(species);
  const auto phase = [&](std::size_t index) { return uniform(static_cast<std::uint32_t>(index), seed, stream); };
  std::vector<double> sites;
  sites.reserve(3 * n);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const std::size_t of_layer = (layer + 1) * n / layers - layer * n / layers;
    const double z = (static_cast<double>(layer) + phase(0)) / static_cast<double>(layers);
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t in_row = (row + 1) * of_layer / rows - row * of_layer / rows;
      const double y = (static_cast<double>(row) + phase(1 + layer)) / static_cast<double>(rows);
      const double shift = phase(1 + layers + layer * rows + row);
      for (std::size_t k = 0; k < in_row; ++k) {
        const double x = (static_cast<double>(k) + shift) / static_cast<double>(in_row);
        for (std::size_t c = 0; c < 3; ++c) sites.push_back(x * cell[0][c] + y * cell[1][c] + z * cell[2][c]);
      }
    }
  }
  return sites;
}

std::vector<double> flow_start(const std::array<Vector3, 3> &cell, const std::vector<int> &types, double spread,
                               std::uint32_t seed)
{
  std::vector<double> positions(3 * types.size(), 0.0);
  add_noise(positions, spread, 0, seed, Stream::START);
  const int n_species = types.empty() ? 0 : *std::max_element(types.begin(), types.end()) + 1;
  for (int species = 0; species < n_species; ++species) {
    const auto n = static_cast<std::size_t>(std::count(types.begin(), types.end(), species));
    if (n == 0) continue;
    const std::vector<double> sites = lattice(cell, n, seed, static_cast<std::uint32_t>(species));
    auto next = sites.begin();
    for (std::size_t i = 0; i < types.size(); ++i)
      if (types[i] == species)
        for (std::size_t k = 0; k < 3; ++k) positions[3 * i + k] += *next++;
  }
  return positions;
}

double put_back_noise(std::vector<double> &positions, double time, double churn, double spread, int step,
                      std::uint32_t seed)
{
  const double earlier = std::min(1.0, time * (1.0 + churn));
  add_noise(positions, spread * std::sqrt(earlier * earlier - time * time), step, seed, Stream::CHURN);
  return earlier;
}

}    // namespace vitrify
