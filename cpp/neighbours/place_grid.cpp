// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/place_grid.h"

#include "neighbours/cell_sizes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace vitrify {

namespace {

constexpr double FEW_ATOMS = 1.5;    // in a cell of half a cutoff: so few that rows of cells cost more than they save
constexpr double NARROWEST_BOX = 3.0;    // in cutoffs, for a box without ghosts
constexpr double GROUP_ATOMS = 6.0;      // in a group of cells: enough to share the work of collecting candidates
constexpr int LONGEST_GROUP = 4;         // in cells

// Two atoms within the cutoff that move apart, as far as places follow them, stay beyond the cutoff of each other's
// image, even where a range is as short as the narrowest box.
static_assert(2.0 / NARROWEST_BOX + 2.0 * PlaceFrame::MOST < 1.0);

}    // namespace

void PlaceGrid::build(const Configuration &c, double cutoff)
{
  frame_.set_cell(c, cutoff);
  periodic_ = c.whole && frame_.least_height() >= NARROWEST_BOX * cutoff;
  choose_cells(c, cutoff);
  // Or a cell would be reached on two ways.
  if (periodic_ && *std::min_element(size_, size_ + 3) < 2 * reach_ + 1) {
    periodic_ = false;
    choose_cells(c, cutoff);
  }
  n_owned_ = c.n_owned;
  n_ghosts_ = periodic_ ? 0 : c.n_nodes - c.n_owned;
  const auto n = static_cast<std::size_t>(n_nodes());
  const std::size_t n_cells = static_cast<std::size_t>(size_[0]) * size_[1] * size_[2];
  for (Array<int> *one : {&cells_, &order_}) one->reserve(n);
  for (Array<int> &axis : places_) axis.reserve(n + CANDIDATES_PADDING);
  starts_.reserve(n_cells + 2);
  ghost_starts_.reserve(n_cells + 2);
  sort(c, 0, n_owned_, starts_.data());
  if (n_ghosts_) sort(c, n_owned_, n_owned_ + n_ghosts_, ghost_starts_.data());
}

void PlaceGrid::choose_cells(const Configuration &c, double cutoff)
{
  double spans[3];
  for (int d = 0; d < 3; ++d) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (std::int64_t i = 0; i < c.n_nodes && !periodic_; ++i) {
      low = std::min(low, coordinate(d, c.positions + 3 * i));
      high = std::max(high, coordinate(d, c.positions + 3 * i));
    }
    low_[d] = high >= low ? low : 0.0;
    span_[d] = periodic_ ? 1.0 : (high > low && std::isfinite(high - low) ? high - low : 0.0);
    spans[d] = periodic_ ? frame_.height(d) : span_[d];
  }
  const auto atoms = static_cast<double>(c.n_owned), nodes = static_cast<double>(periodic_ ? c.n_owned : c.n_nodes);
  const double half = 0.5 * cutoff, in_half = nodes / volume_of(spans, cutoff) * half * half * half;
  reach_ = in_half < FEW_ATOMS ? 1 : 2;
  choose_cell_sizes(spans, cutoff, cutoff / reach_, std::max(8.0 * atoms, 65536.0), size_);
  const double cells = static_cast<double>(size_[0]) * size_[1] * size_[2];
  group_ = static_cast<int>(
      std::clamp(std::ceil(GROUP_ATOMS * cells / std::max(atoms, 1.0)), 1.0, static_cast<double>(LONGEST_GROUP)));
  if (periodic_) group_ = std::max(1, std::min(group_, size_[2] - 2 * reach_));
  // Candidates are at most so far apart. Half a range holds them, so that none is mistaken for a neighbour.
  double square = 0.0;
  for (int d = 0; d < 3; ++d) {
    const double apart = std::min(size_[d], reach_ + (d == 2 ? group_ : 1)) * spans[d] / size_[d];
    square += apart * apart;
  }
  frame_.set_range(std::max(cutoff, std::sqrt(square) * 2.0 / PlaceFrame::RANGE), cutoff, periodic_);
}

int PlaceGrid::cell_of(const double *position) const
{
  int cell = 0;
  for (int d = 0; d < 3; ++d) {
    double fraction = coordinate(d, position) - low_[d];
    fraction = periodic_ ? fraction - std::floor(fraction) : (span_[d] > 0.0 ? fraction / span_[d] : 0.0);
    const double at = fraction * size_[d];
    cell = cell * size_[d] + (at > 0.0 ? static_cast<int>(std::min(at, size_[d] - 1.0)) : 0);
  }
  return cell;
}

void PlaceGrid::sort(const Configuration &c, std::int64_t first, std::int64_t last, int *starts)
{
  const std::int64_t n_cells = static_cast<std::int64_t>(size_[0]) * size_[1] * size_[2];
  std::fill_n(starts, n_cells + 2, 0);
  starts[0] = starts[1] = static_cast<int>(first);
  // Counts stand two places on, so that filling the cells moves each start to where it belongs.
  for (std::int64_t i = first; i < last; ++i) {
    cells_[i] = cell_of(c.positions + 3 * i);
    ++starts[cells_[i] + 2];
  }
  for (std::int64_t cell = 2; cell < n_cells + 2; ++cell) starts[cell] += starts[cell - 1];
  for (std::int64_t i = first; i < last; ++i) {
    const int at = starts[cells_[i] + 1]++;
    order_[at] = static_cast<int>(i);
    const double still[3] = {0.0, 0.0, 0.0};
    std::int32_t place[3];
    frame_.place(c.positions + 3 * i, still, place);    // which holds it
    for (int d = 0; d < 3; ++d) places_[d][at] = place[d];
  }
}

void PlaceGrid::Around::append(const PlaceGrid &grid, std::int64_t first, std::int64_t last)
{
  if (first >= last) return;
  const auto before = static_cast<std::size_t>(count), size = before + static_cast<std::size_t>(last - first);
  if (size > room) {
    room = 2 * size;
    for (Array<int> *one : {&axes[0], &axes[1], &axes[2], &ids}) one->reserve(room + CANDIDATES_PADDING, before);
  }
  // A few more than there are, which the next ones replace.
  constexpr int CHUNK = CANDIDATES_PADDING;
  for (std::int64_t k = first; k < last; k += CHUNK) {
    const std::size_t at = before + static_cast<std::size_t>(k - first);
    for (int d = 0; d < 3; ++d) std::memcpy(axes[d].data() + at, grid.places(d) + k, CHUNK * sizeof(int));
    for (int q = 0; q < CHUNK; ++q) ids[at + static_cast<std::size_t>(q)] = static_cast<int>(k) + q;
  }
  count = static_cast<int>(size);
}

// Calls task(first, last) for the nodes of some cells of a row, which may stand beyond its ends: on the other side, or
// nowhere.
template <typename Task>
void PlaceGrid::for_parts(const int *starts, int first_cell, int last_cell, const Task &task) const
{
  const int size = size_[2];
  if (periodic_ && first_cell < 0) task(starts[first_cell + size], starts[size]);
  task(starts[std::max(first_cell, 0)], starts[std::min(last_cell, size)]);
  if (periodic_ && last_cell > size) task(starts[0], starts[last_cell - size]);
}

// Calls task(other) for the rows around one; half: for one half of the others, which have this one in their other half.
template <typename Task> void PlaceGrid::for_rows_around(int row, bool half, const Task &task) const
{
  const int a = row / size_[1], b = row % size_[1];
  const auto wrapped = [](int k, int size) { return k < 0 ? k + size : (k >= size ? k - size : k); };
  for (int da = half ? 0 : -reach_; da <= reach_; ++da)
    for (int db = half && da == 0 ? 1 : -reach_; db <= reach_; ++db) {
      const int row_a = wrapped(a + da, size_[0]), row_b = wrapped(b + db, size_[1]);
      if (periodic_ || (row_a == a + da && row_b == b + db)) task(row_a * size_[1] + row_b);
    }
}

void PlaceGrid::owned_around(const Group &group, Around &to) const
{
  to.count = 0;
  const auto append = [&](int first, int last) { to.append(*this, first, last); };
  const int last = group.last_cell + reach_;
  for_parts(owned_starts(group.row), group.first_cell, last, append);
  for_rows_around(group.row, true,
                  [&](int row) { for_parts(owned_starts(row), group.first_cell - reach_, last, append); });
}

void PlaceGrid::ghosts_around(const Group &group, Around &to) const
{
  to.count = 0;
  if (!n_ghosts_) return;
  const auto append = [&](int first, int last) { to.append(*this, first, last); };
  const int first = group.first_cell - reach_, last = group.last_cell + reach_;
  for_rows_around(group.row, false, [&](int row) { for_parts(ghost_starts(row), first, last, append); });
}

int PlaceGrid::count_around(const Group &group) const
{
  int count = 0;
  const auto add = [&](int first, int last) { count += std::max(last - first, 0); };
  const int first = group.first_cell - reach_, last = group.last_cell + reach_;
  for_rows_around(group.row, false, [&](int row) {
    for_parts(owned_starts(row), first, last, add);
    if (n_ghosts_) for_parts(ghost_starts(row), first, last, add);
  });
  return count;
}

}    // namespace vitrify
