// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/node_grid.h"

#include "neighbours/cell_sizes.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

namespace {

constexpr int REACH = 2;    // cells on each side of an atom's own

}    // namespace

static_assert(MAX_RANGES >= (2 * REACH + 1) * (2 * REACH + 1));

int NodeGrid::coordinate(double value, int d) const
{
  const double place = (value - low_[d]) * inverse_[d];
  return place > 0.0 ? static_cast<int>(std::min(place, size_[d] - 1.0)) : 0;    // NaN goes to the first cell
}

void NodeGrid::build(const Configuration &c, double cutoff)
{
  const auto n = static_cast<std::size_t>(c.n_nodes);
  cutoff_ = cutoff;
  double span[3];
  for (int d = 0; d < 3; ++d) {
    double low = n ? c.positions[d] : 0.0, high = low;
    for (std::size_t i = 0; i < n; ++i) {
      low = std::min(low, c.positions[3 * i + d]);
      high = std::max(high, c.positions[3 * i + d]);
    }
    low_[d] = low;
    span[d] = std::isfinite(high - low) ? high - low : 0.0;
  }
  choose_cell_sizes(span, cutoff, cutoff / REACH, 8.0 * static_cast<double>(n) + 8.0, size_);
  for (int d = 0; d < 3; ++d) {
    inverse_[d] = span[d] > 0.0 ? size_[d] / span[d] : 0.0;
    width_[d] = span[d] / size_[d];
  }

  const auto n_cells = static_cast<std::size_t>(size_[0]) * size_[1] * size_[2];
  starts_.reserve(n_cells + 2);
  cells_.reserve(n);
  ids_.reserve(n + BLOCK);
  for (Array<double> &axis : axes_) axis.reserve(n + BLOCK);
  // Counts stand two places on, so that filling the cells moves each start to where it belongs.
  std::fill_n(starts_.data(), n_cells + 2, 0);
  for (std::size_t i = 0; i < n; ++i) {
    const double *r = c.positions + 3 * i;
    cells_[i] = (coordinate(r[0], 0) * size_[1] + coordinate(r[1], 1)) * size_[2] + coordinate(r[2], 2);
    ++starts_[static_cast<std::size_t>(cells_[i]) + 2];
  }
  for (std::size_t cell = 2; cell < n_cells + 2; ++cell) starts_[cell] += starts_[cell - 1];
  for (std::size_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(starts_[static_cast<std::size_t>(cells_[i]) + 1]++);
    ids_[at] = static_cast<int>(i);
    for (int d = 0; d < 3; ++d) axes_[d][at] = c.positions[3 * i + d];
  }
}

int NodeGrid::ranges(const double *position, double reach, CellRange *to) const
{
  // A little more than the reach, because rounding decides in which cell a node on its border stands.
  const double limit = reach * (1.0 + 1e-9);
  // Squared distances of the position from the slabs of cells across the first two directions.
  int first[3], last[3];
  double squares[2][2 * REACH + 1];
  for (int d = 0; d < 3; ++d) {
    const int own = coordinate(position[d], d);
    first[d] = std::max(own - REACH, coordinate(position[d] - limit, d));
    last[d] = std::min(own + REACH, coordinate(position[d] + limit, d));
    if (d == 2) continue;
    for (int slab = first[d]; slab <= last[d]; ++slab) {
      const double low = low_[d] + slab * width_[d];
      const double away = std::max({0.0, low - position[d], position[d] - (low + width_[d])});
      squares[d][slab - first[d]] = away * away;
    }
  }
  int n = 0;
  for (int a = first[0]; a <= last[0]; ++a)
    for (int b = first[1]; b <= last[1]; ++b) {
      const auto row = (static_cast<std::size_t>(a) * size_[1] + b) * size_[2];
      to[n].first = starts_[row + first[2]];
      to[n].last = starts_[row + last[2] + 1];
      const bool is_near = squares[0][a - first[0]] + squares[1][b - first[1]] < limit * limit;
      n += ((to[n].first < to[n].last) & is_near) ? 1 : 0;
    }
  return n;
}

std::size_t NodeGrid::query(int place, double reach, CellRange *ranges, NeighbourQuery &query) const
{
  for (int d = 0; d < 3; ++d) query.axes[d] = axis(d);
  query.place = place;
  query.ranges = ranges;
  const double position[3] = {query.axes[0][place], query.axes[1][place], query.axes[2][place]};
  query.n_ranges = this->ranges(position, reach, ranges);
  std::size_t count = 0;
  for (int k = 0; k < query.n_ranges; ++k) count += static_cast<std::size_t>(ranges[k].last - ranges[k].first);
  return count;
}

}    // namespace vitrify
