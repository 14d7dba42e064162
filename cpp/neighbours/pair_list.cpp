// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/pair_list.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace vitrify {

template <typename T> void PairList<T>::begin(std::int64_t first, std::int64_t last, std::vector<double> &squares)
{
  first_ = first;
  last_ = last;
  ranges_.reserve(static_cast<std::size_t>(last - first));
  foreign_.clear();
  adopted_.clear();
  counted_ = false;
  std::fill(squares.begin(), squares.end(), std::numeric_limits<double>::infinity());
}

template <typename T> void PairList<T>::end(std::size_t used)
{
  reserve(used, 0);
  std::fill_n(neighbours_.data() + used, BLOCK, 0);
}

template <typename T> void PairList<T>::reserve(std::size_t used, std::size_t candidates)
{
  neighbours_.reserve(used + candidates + BLOCK, used);
  distances_.reserve(used + candidates + BLOCK, used);
  found_.reserve(candidates + BLOCK);
}

template <typename T>
void PairList<T>::build(SearchPairs<T> search_pairs, const Configuration &c, const NodeGrid &grid, std::int64_t first,
                        std::int64_t last, double cutoff, double inner, std::vector<double> &squares)
{
  begin(first, last, squares);
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
    std::size_t count = 0;
    for (int k = 0; k < n_ranges; ++k) count += static_cast<std::size_t>(ranges[k].last - ranges[k].first);
    reserve(used, count);
    found_squares_.reserve(count + BLOCK);
    search.found = found_.data();
    search.squares = found_squares_.data();
    PairRange &range = ranges_[static_cast<std::size_t>(i - first)];
    range.first = static_cast<std::int64_t>(used);
    const int n =
        search_pairs(search, i, ranges, n_ranges, neighbours_.data() + used, distances_.data() + used, range.ends);
    if (!alone) note_foreign(c.n_owned, i, range);
    used += static_cast<std::size_t>(n);
  }
  end(used);
}

template <typename T>
void PairList<T>::build([[maybe_unused]] SearchPlaces search_places, const PlaceGrid &grid, const int *types,
                        std::int64_t n_owned, std::int64_t first, std::int64_t last, double cutoff, double inner,
                        int many, std::vector<double> &squares)
{
  begin(first, last, squares);
  PlaceSearch search{};
  for (int d = 0; d < 3; ++d)
    for (int k = 0; k < 3; ++k) search.frame[d][k] = static_cast<float>(grid.frame().unit(d)[k]);
  search.oblique = grid.frame().oblique();
  search.cutoff_square = static_cast<float>(cutoff * cutoff);
  search.inner_square = static_cast<float>(inner * inner);
  search.first = static_cast<int>(first);
  search.last = static_cast<int>(last);
  search.all = first == 0 && last == n_owned;    // there are no other chunks
  search.types = types;
  search.n_species = static_cast<int>(std::lround(std::sqrt(static_cast<double>(squares.size()))));
  search.least = squares.data();
  grid.for_groups(first, last, [&](const PlaceGrid::Group &group) { counted_ |= grid.count_around(group) > many; });
  if (counted_) counts_.fill(static_cast<std::size_t>(last - first), 0);
  std::size_t used = 0;
  grid.for_groups(first, last, [&](const PlaceGrid::Group &group) {
    grid.owned_around(group, owned_);
    grid.ghosts_around(group, ghosts_);
    const auto candidates = static_cast<std::size_t>(owned_.count + ghosts_.count);
    found_places_squares_.reserve(candidates + BLOCK);
    for (std::int64_t i = std::max(first, group.first); i < std::min(last, group.last); ++i) {
      reserve(used, candidates);
      search.found = found_.data();
      search.squares = found_places_squares_.data();
      PairRange &range = ranges_[static_cast<std::size_t>(i - first)];
      range.first = static_cast<std::int64_t>(used);
      const int place[3] = {grid.places(0)[i], grid.places(1)[i], grid.places(2)[i]};
      if constexpr (std::is_same_v<T, float>)
        used += static_cast<std::size_t>(
            search_places(search, place, types[i], owned_.after(static_cast<int>(i - group.first) + 1),
                          ghosts_.after(0), neighbours_.data() + used, distances_.data() + used, range.ends));
      if (counted_) count_neighbours(i, range);
      if (!search.all) note_foreign(n_owned, i, range);
    }
  });
  end(used);
}

template <typename T> void PairList<T>::count_neighbours(std::int64_t i, const PairRange &range)
{
  int *counts = counts_.data() - first_;
  counts[i] += range.ends[3];
  const int *neighbours = neighbours_.data() + range.first;
  for (int k = 0; k < range.ends[0]; ++k) ++counts[neighbours[k]];
  for (int k = range.ends[1]; k < range.ends[2]; ++k) ++counts[neighbours[k]];
}

template <typename T> int PairList<T>::most_neighbours() const
{
  int most = 0;
  for (std::int64_t i = 0; counted_ && i < last_ - first_; ++i) {
    const int adopted = adopted_.empty() ? 0 : adopted_ranges_[static_cast<std::size_t>(i)].ends[3];
    most = std::max(most, counts_[static_cast<std::size_t>(i)] + adopted);
  }
  return most;
}

template <typename T> void PairList<T>::note_foreign(std::int64_t n_owned, std::int64_t i, const PairRange &range)
{
  for (const int sort : {1, 3})
    for (std::int64_t k = range.first + range.ends[sort - 1]; k < range.first + range.ends[sort]; ++k) {
      const auto place = static_cast<std::size_t>(k);
      if (neighbours_[place] < n_owned)
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
  std::fill_n(adopted_neighbours_.data() + k, BLOCK, 0);
}

template class PairList<float>;
template class PairList<double>;

}    // namespace vitrify
