// SPDX-License-Identifier: BSD-3-Clause
#include "ogn/pair_sums.h"

#include <algorithm>
#include <type_traits>

namespace vitrify {

template <typename T>
PairSums<T>::PairSums(const OGNTables<T> &tables, std::size_t n_threads) :
    tables_(tables), were_wide_(tables.stages.size(), 0), magnitudes_(n_threads, 0.0)
{
}

template <typename T> void PairSums<T>::reserve(std::size_t n_owned, int most_neighbours)
{
  n_owned_ = n_owned;
  too_many_ = tables_.whole && most_neighbours > tables_.most_neighbours;
  if (tables_.whole) {
    whole_.reserve(whole_width(tables_.channels, tables_.density_groups) * n_owned);
  } else {
    forces_.reserve(4 * tables_.channels * n_owned);
    densities_.reserve(tables_.density_width() * n_owned);
  }
  if (tables_.moments) moments_.reserve(12 * n_owned);
}

template <typename T> void PairSums<T>::widen()
{
  wide_ = true;
  forces_.reserve(4 * tables_.channels * n_owned_);
  wide_densities_.reserve(tables_.density_width() * n_owned_);
  densities_.reserve(tables_.density_width() * n_owned_);
}

template <typename T> void PairSums<T>::begin(int stage)
{
  stage_ = stage;
  wide_ = false;
  if (too_many_ || were_wide_[static_cast<std::size_t>(stage)]) widen();
}

template <typename T> void PairSums<T>::clear(std::int64_t first, std::int64_t last)
{
  const auto clear_rows = [=](auto &array, std::int64_t width) {
    std::fill_n(array.data() + width * first, width * (last - first), 0);
  };
  if (tables_.whole && !wide_) {
    clear_rows(whole_, whole_width(tables_.channels, tables_.density_groups));
    return;
  }
  clear_rows(forces_, 4 * tables_.channels);
  if (wide_)
    clear_rows(wide_densities_, tables_.density_width());
  else
    clear_rows(densities_, tables_.density_width());
  if (tables_.moments) clear_rows(moments_, 12);
}

template <typename T> void PairSums<T>::note_magnitudes(std::size_t thread, std::int64_t first, std::int64_t last)
{
  if (!tables_.whole) return;
  const auto largest_of = [&](const auto *densities, std::int64_t width) {
    std::decay_t<decltype(*densities)> largest = 0;
    for (std::int64_t i = first; i < last; ++i)
      for (int c = 0; c < tables_.channels; ++c) largest = std::max(largest, densities[width * i + c]);
    return static_cast<double>(largest);
  };
  const int forces = whole_forces_width(tables_.channels);
  magnitudes_[thread] = wide_ ? largest_of(wide_densities_.data(), tables_.density_width())
                              : largest_of(whole_.data() + forces, forces + tables_.density_width());
}

template <typename T> bool PairSums<T>::must_be_wider(double largest_gate)
{
  if (!tables_.whole) return false;
  const auto stage = static_cast<std::size_t>(stage_);
  // Each neighbour's magnitude is rounded.
  const double magnitude = *std::max_element(magnitudes_.begin(), magnitudes_.end()) + 0.5 * tables_.most_neighbours;
  const double force = magnitude / tables_.stages[stage].magnitude_scale * (1.0 + 2.0 * largest_gate);
  const bool is_too_much = !(force * tables_.stages[stage].force_scale < MAX_WHOLE);
  were_wide_[stage] = is_too_much;
  if (wide_ || !is_too_much) return false;
  widen();
  return true;
}

template <typename T> void PairSums<T>::narrow(std::int64_t first, std::int64_t last)
{
  const auto &units = tables_.stages[static_cast<std::size_t>(stage_)].density_units;
  const std::int64_t width = tables_.density_width();
  for (std::int64_t k = width * first; k < width * last; ++k)
    densities_[k] = static_cast<T>(wide_densities_[k]) * units[k % width];
}

template <typename T> void PairSums<T>::describe(PairPass<T> &pass)
{
  pass.forces = forces_.data();
  pass.densities = densities_.data();
  pass.moment_sums = moments_.data();
  pass.whole_sums = whole_.data();
  pass.wide_densities = wide_ ? wide_densities_.data() : nullptr;
}

template <typename T> void PairSums<T>::describe(NodeUpdate<T> &update)
{
  update.forces = forces_.data();
  update.densities = densities_.data();
  update.moment_sums = moments_.data();
  update.whole_sums = tables_.whole && !wide_ ? whole_.data() : nullptr;
}

template class PairSums<float>;
template class PairSums<double>;

}    // namespace vitrify
