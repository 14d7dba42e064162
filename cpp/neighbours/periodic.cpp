// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/periodic.h"

#include "neighbours/images.h"

#include <cmath>

namespace vitrify {

void PeriodicSystem::build(const std::array<Vector3, 3> &cell, std::size_t n, const double *positions,
                           const double *velocities, const int *types, double cutoff)
{
  check_images(cell, {true, true, true}, n, cutoff);
  cell_ = cell;
  reciprocal_ = reciprocal_cell(cell);
  // The fractional coordinate along cell vector d changes by at most |reciprocal vector d| times the distance.
  for (int d = 0; d < 3; ++d) reach_[d] = cutoff * std::sqrt(dot(reciprocal_[d], reciprocal_[d]));
  add_atoms(n, positions, velocities, types);
  add_ghosts();
  cutoff_ = cutoff;
}

void PeriodicSystem::add_atoms(std::size_t n, const double *positions, const double *velocities, const int *types)
{
  check_positions(reciprocal_, n, positions);
  n_owned_ = n;
  positions_.clear();
  owners_.clear();
  types_.assign(types, types + n);
  velocities_.clear();
  if (velocities) velocities_.assign(velocities, velocities + 3 * n);
  for (std::size_t i = 0; i < n; ++i) {
    const Vector3 r{positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]};
    Vector3 wrapped = r;
    for (int d = 0; d < 3; ++d) {
      const double turns = std::floor(dot(reciprocal_[d], r));
      for (int k = 0; k < 3; ++k) wrapped[k] -= turns * cell_[d][k];
    }
    positions_.insert(positions_.end(), wrapped.begin(), wrapped.end());
    owners_.push_back(static_cast<int>(i));
  }
}

void PeriodicSystem::append(int owner, const Vector3 &position)
{
  const auto first = 3 * static_cast<std::size_t>(owner);
  positions_.insert(positions_.end(), position.begin(), position.end());
  if (!velocities_.empty())
    for (std::size_t k = 0; k < 3; ++k) velocities_.push_back(velocities_[first + k]);
  types_.push_back(types_[static_cast<std::size_t>(owner)]);
  owners_.push_back(owner);
}

void PeriodicSystem::add_ghosts()
{
  for (std::size_t i = 0; i < n_owned_; ++i) {
    const Vector3 r{positions_[3 * i], positions_[3 * i + 1], positions_[3 * i + 2]};
    std::array<int, 3> first, last;
    for (int d = 0; d < 3; ++d) {
      const double fraction = dot(reciprocal_[d], r);
      first[d] = static_cast<int>(std::ceil(-reach_[d] - fraction));
      last[d] = static_cast<int>(std::floor(1.0 + reach_[d] - fraction));
    }
    for (int a = first[0]; a <= last[0]; ++a)
      for (int b = first[1]; b <= last[1]; ++b)
        for (int c = first[2]; c <= last[2]; ++c) {
          if (a == 0 && b == 0 && c == 0) continue;
          Vector3 image = r;
          for (int k = 0; k < 3; ++k) image[k] += a * cell_[0][k] + b * cell_[1][k] + c * cell_[2][k];
          append(static_cast<int>(i), image);
        }
  }
}

Configuration PeriodicSystem::configuration() const
{
  Configuration configuration;
  configuration.n_owned = static_cast<std::int64_t>(n_owned_);
  configuration.n_nodes = static_cast<std::int64_t>(types_.size());
  configuration.types = types_.data();
  configuration.positions = positions_.data();
  configuration.cell = &cell_;
  configuration.whole = true;
  if (!velocities_.empty()) configuration.velocities = velocities_.data();
  return configuration;
}

std::size_t PeriodicSystem::bytes() const
{
  return (positions_.capacity() + velocities_.capacity()) * sizeof(double) +
         (types_.capacity() + owners_.capacity()) * sizeof(int);
}

}    // namespace vitrify
