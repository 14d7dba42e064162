// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/half_list.h"

namespace vitrify {

void HalfList::build(Configuration &configuration, double cutoff)
{
  const auto n_owned = static_cast<std::size_t>(configuration.n_owned);
  grid_.build(configuration, cutoff);
  counts_.assign(n_owned, 0);
  neighbours_.clear();
  CellRange ranges[MAX_RANGES];
  for (std::size_t i = 0; i < n_owned; ++i) {
    const std::size_t before = neighbours_.size();
    const double *own = configuration.positions + 3 * i;
    const int n_ranges = grid_.ranges(own, ranges);
    for (const CellRange *range = ranges; range < ranges + n_ranges; ++range)
      for (int k = range->first; k < range->last; ++k) {
        double square = 0.0;
        for (int d = 0; d < 3; ++d) square += (grid_.axis(d)[k] - own[d]) * (grid_.axis(d)[k] - own[d]);
        // Ghosts come after all owned atoms.
        if (grid_.ids()[k] > static_cast<int>(i) && square < cutoff * cutoff) neighbours_.push_back(grid_.ids()[k]);
      }
    counts_[i] = static_cast<int>(neighbours_.size() - before);
  }
  lists_.resize(n_owned);
  std::size_t at = 0;
  for (std::size_t i = 0; i < n_owned; at += static_cast<std::size_t>(counts_[i++]))
    lists_[i] = neighbours_.data() + at;
  configuration.counts = counts_.data();
  configuration.lists = lists_.data();
  configuration.mask = ~0;
}

std::size_t HalfList::bytes() const
{
  return grid_.bytes() + sizeof(int) * (counts_.capacity() + neighbours_.capacity()) +
         sizeof(const int *) * lists_.capacity();
}

}    // namespace vitrify
