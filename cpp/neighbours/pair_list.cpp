// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/pair_list.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrify {

template <typename T>
void PairList<T>::build(SearchPairs<T> search_pairs, const Configuration &c, const NodeGrid &grid, std::int64_t first,
                        std::int64_t last, double cutoff, double inner, std::vector<double> &squares)
{
  first_ = first;
  last_ = last;
  ranges_.reserve(static_cast<std::size_t>(last - first));
  foreign_.clear();
  adopted_.clear();
  std::fill(squares.begin(), squares.end(), std::numeric_limits<double>::infinity());
  PairSearch search{};
  search.positions = c.positions;
  search.types = c.types;
  search.n_species = static_cast<int>(std::lround(std::sqrt(static_cast<double>(squares.size()))));
  search.grid_ids = grid.ids();
  for (int d = 0; d < 3; ++d) search.grid_axes[d] = grid.axis(d);
  search.first = static_cast<int>(first);
  search.last = static_cast<int>(last);
  search.cutoff_square = cutoff * cutoff;
  search.inner_square = inner * inner;
  search.least = squares.data();
  const bool alone = first == 0 && last == c.n_owned;    // there are no other chunks
  std::size_t used = 0;
  for (std::int64_t i = first; i < last; ++i) {
    CellRange ranges[MAX_RANGES];
    const int n_ranges = grid.ranges(c.positions + 3 * i, ranges);
    std::size_t count = BLOCK;
    for (int k = 0; k < n_ranges; ++k) count += static_cast<std::size_t>(ranges[k].last - ranges[k].first);
    neighbours_.reserve(used + count, used);
    distances_.reserve(used + count, used);
    found_.reserve(count);
    found_squares_.reserve(count);
    search.found = found_.data();
    search.squares = found_squares_.data();
    PairRange &range = ranges_[static_cast<std::size_t>(i - first)];
    range.first = static_cast<std::int64_t>(used);
    const int n =
        search_pairs(search, i, ranges, n_ranges, neighbours_.data() + used, distances_.data() + used, range.ends);
    if (!alone) note_foreign(c, i, range);
    used += static_cast<std::size_t>(n);
  }
}

template <typename T> void PairList<T>::note_foreign(const Configuration &c, std::int64_t i, const PairRange &range)
{
  for (const int sort : {1, 3})
    for (std::int64_t k = range.first + range.ends[sort - 1]; k < range.first + range.ends[sort]; ++k) {
      const auto place = static_cast<std::size_t>(k);
      if (neighbours_[place] < c.n_owned)
        foreign_.push_back({neighbours_[place], static_cast<int>(i), distances_[place], sort == 1});
    }
}

template <typename T> void PairList<T>::adopt(const std::vector<PairList> &lists)
{
  for (const PairList &list : lists)
    for (const Foreign &pair : list.foreign_)
      if (pair.centre >= first_ && pair.centre < last_) adopted_.push_back(pair);
  if (adopted_.empty()) return;
  std::sort(adopted_.begin(), adopted_.end(), [](const Foreign &a, const Foreign &b) {
    if (a.centre != b.centre) return a.centre < b.centre;
    return a.inner != b.inner ? a.inner : a.neighbour < b.neighbour;
  });
  const auto n_atoms = static_cast<std::size_t>(last_ - first_);
  adopted_ranges_.reserve(n_atoms);
  adopted_neighbours_.reserve(adopted_.size() + BLOCK);
  adopted_distances_.reserve(adopted_.size() + BLOCK);
  std::size_t k = 0;
  for (std::size_t i = 0; i < n_atoms; ++i) {
    PairRange range;
    range.first = static_cast<std::int64_t>(k);
    for (; k < adopted_.size() && adopted_[k].centre == first_ + static_cast<std::int64_t>(i); ++k) {
      adopted_neighbours_[k] = adopted_[k].neighbour;
      adopted_distances_[k] = adopted_[k].distance;
      // This atom alone gains: the sorts 1 and 3 of PairRange.
      for (int s = adopted_[k].inner ? 1 : 3; s < 4; ++s) ++range.ends[s];
    }
    adopted_ranges_[i] = range;
  }
}

template class PairList<float>;
template class PairList<double>;

}    // namespace vitrify
