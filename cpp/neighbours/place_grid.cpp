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
  double heights[3];
  for (int d = 0; d < 3; ++d) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (std::int64_t i = 0; i < c.n_nodes && !periodic_; ++i) {
      const double fraction = frame_.fraction(d, c.positions + 3 * i);
      low = std::min(low, fraction);
      high = std::max(high, fraction);
    }
    low_[d] = high >= low ? low : 0.0;
    span_[d] = periodic_ ? 1.0 : (high > low && std::isfinite(high - low) ? high - low : 0.0);
    heights[d] = span_[d] * frame_.height(d);
  }
  const auto atoms = static_cast<double>(c.n_owned), nodes = static_cast<double>(periodic_ ? c.n_owned : c.n_nodes);
  const double half = 0.5 * cutoff, in_half = nodes / volume_of(heights, cutoff) * half * half * half;
  reach_ = in_half < FEW_ATOMS ? 1 : 2;
  choose_cell_sizes(heights, cutoff, cutoff / reach_, std::max(8.0 * atoms, 65536.0), size_);
  const double cells = static_cast<double>(size_[0]) * size_[1] * size_[2];
  group_ = static_cast<int>(
      std::clamp(std::ceil(GROUP_ATOMS * cells / std::max(atoms, 1.0)), 1.0, static_cast<double>(LONGEST_GROUP)));
  if (periodic_) group_ = std::max(1, std::min(group_, size_[2] - 2 * reach_));
  // Candidates are at most so far apart. Half a range holds them, so that none is mistaken for a neighbour.
  double reach[3];
  for (int d = 0; d < 3; ++d) {
    const int across = std::min(size_[d], reach_ + (d == 2 ? group_ : 1));
    reach[d] = std::max(cutoff, across * heights[d] / size_[d] * 2.0 / PlaceFrame::RANGE);
  }
  frame_.set_range(reach, cutoff, periodic_);
}

int PlaceGrid::cell_of(const double *position) const
{
  int cell = 0;
  for (int d = 0; d < 3; ++d) {
    double fraction = frame_.fraction(d, position) - low_[d];
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

// The nodes of cells first ... last - 1 of a row, which may stand beyond its ends: on the other side, or nowhere.
void PlaceGrid::append_row(const int *starts, int first, int last, Around &to) const
{
  const int size = size_[2];
  if (periodic_ && first < 0) to.append(*this, starts[first + size], starts[size]);
  to.append(*this, starts[std::max(first, 0)], starts[std::min(last, size)]);
  if (periodic_ && last > size) to.append(*this, starts[0], starts[last - size]);
}

void PlaceGrid::owned_around(const Group &group, Around &to) const
{
  to.count = 0;
  append_row(owned_starts(group.row), group.first_cell, group.last_cell + reach_, to);
  // Half of the rows around it: the others have this group among theirs.
  const int a = group.row / size_[1], b = group.row % size_[1];
  for (int da = 0; da <= reach_; ++da)
    for (int db = da ? -reach_ : 1; db <= reach_; ++db) {
      int row_a = a + da, row_b = b + db;
      if (periodic_) {
        row_a -= row_a >= size_[0] ? size_[0] : 0;
        row_b += row_b < 0 ? size_[1] : (row_b >= size_[1] ? -size_[1] : 0);
      } else if (row_a >= size_[0] || row_b < 0 || row_b >= size_[1])
        continue;
      append_row(owned_starts(row_a * size_[1] + row_b), group.first_cell - reach_, group.last_cell + reach_, to);
    }
}

void PlaceGrid::ghosts_around(const Group &group, Around &to) const
{
  to.count = 0;
  if (!n_ghosts_) return;
  const int a = group.row / size_[1], b = group.row % size_[1];
  for (int row_a = std::max(a - reach_, 0); row_a <= std::min(a + reach_, size_[0] - 1); ++row_a)
    for (int row_b = std::max(b - reach_, 0); row_b <= std::min(b + reach_, size_[1] - 1); ++row_b)
      append_row(ghost_starts(row_a * size_[1] + row_b), group.first_cell - reach_, group.last_cell + reach_, to);
}

}    // namespace vitrify
