// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/species_order.h"

namespace vitrify {

void SpeciesOrder::build(const Configuration &c, const NodeGrid &grid, int n_species)
{
  const auto owned = static_cast<std::size_t>(c.n_owned);
  places_.reserve(owned);
  ends_.assign(static_cast<std::size_t>(n_species), 0);
  for (std::size_t i = 0; i < owned; ++i) ++ends_[static_cast<std::size_t>(c.types[i])];
  std::int64_t start = 0;
  for (std::int64_t &end : ends_) start = (end += start);
  // Backwards, so that every species' end moves to its start; then on by one species.
  for (auto place = static_cast<std::size_t>(c.n_nodes); place-- > 0;) {
    const int node = grid.ids()[place];
    if (node < c.n_owned)
      places_[static_cast<std::size_t>(--ends_[static_cast<std::size_t>(c.types[node])])] = static_cast<int>(place);
  }
  for (std::size_t s = 0; s + 1 < ends_.size(); ++s) ends_[s] = ends_[s + 1];
  ends_.back() = c.n_owned;
}

}    // namespace vitrify
