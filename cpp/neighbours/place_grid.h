// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "neighbours/configuration.h"
#include "neighbours/place_frame.h"
#include "simd/place_search.h"

#include <cstddef>
#include <cstdint>

namespace vitrify {

/// Nodes sorted into cells of half a cutoff or a whole one, owned atoms and ghosts each for themselves, with their
/// places in whole numbers. In a periodic box that is wide enough there are no ghosts: cells on its two sides are
/// neighbours.
class PlaceGrid : public Workspace {
public:
  /// Sorts the nodes of the configuration.
  void build(const Configuration &configuration, double cutoff);
  const PlaceFrame &frame() const { return frame_; }

  /// Whether ghosts have been left out.
  bool periodic() const { return periodic_; }
  /// Owned atoms in the order of the cells, then ghosts: their indices in the configuration.
  std::int64_t n_nodes() const { return n_owned_ + n_ghosts_; }
  const int *order() const { return order_.data(); }
  /// (n_nodes) along cell vector d, in this order.
  const int *places(int d) const { return places_[d].data(); }

  /// A few cells in a row, whose atoms have the same candidates: owned atoms first ... last - 1.
  struct Group {
    int row, first_cell, last_cell;
    std::int64_t first, last;
  };
  /// The groups in the order of the atoms: calls task(group) for those that have atoms first ... last - 1.
  template <typename Task> void for_groups(std::int64_t first, std::int64_t last, const Task &task) const
  {
    for (int row = 0; row < size_[0] * size_[1]; ++row) {
      if (owned_starts(row)[size_[2]] <= first) continue;
      for (int cell = 0; cell < size_[2]; cell += group_) {
        const int end = cell + group_ < size_[2] ? cell + group_ : size_[2];
        const Group group{row, cell, end, owned_starts(row)[cell], owned_starts(row)[end]};
        if (group.first >= last) return;
        if (group.last > first && group.first < group.last) task(group);
      }
    }
  }

  /// What an atom of the group may have as neighbours.
  struct Around : Workspace {
    Array<int> axes[3]{*this, *this, *this}, ids{*this};
    int count = 0;
    std::size_t room = 0;

    void append(const PlaceGrid &grid, std::int64_t first, std::int64_t last);
    Candidates after(int skip) const
    { return {{axes[0].data() + skip, axes[1].data() + skip, axes[2].data() + skip}, ids.data() + skip, count - skip}; }
  };
  /// Owned atoms around the group, each pair of atoms once: for the atom `k` of the group those from k + 1 on, because
  /// the list begins with the group itself.
  void owned_around(const Group &group, Around &to) const;
  void ghosts_around(const Group &group, Around &to) const;
  /// How many owned atoms and ghosts there are around the group: no atom of it has more neighbours.
  int count_around(const Group &group) const;

private:
  void choose_cells(const Configuration &configuration, double cutoff);
  void sort(const Configuration &configuration, std::int64_t first, std::int64_t last, int *starts);
  int cell_of(const double *position) const;
  // What the cells divide along direction d: the periodic box, in parts of it, or the space that holds all nodes.
  double coordinate(int d, const double *position) const
  { return periodic_ ? frame_.fraction(d, position) : position[d]; }
  template <typename Task> void for_rows_around(int row, bool half, const Task &task) const;
  template <typename Task> void for_parts(const int *starts, int first_cell, int last_cell, const Task &task) const;
  const int *owned_starts(int row) const { return starts_.data() + static_cast<std::int64_t>(row) * size_[2]; }
  const int *ghost_starts(int row) const { return ghost_starts_.data() + static_cast<std::int64_t>(row) * size_[2]; }

  PlaceFrame frame_;
  bool periodic_ = false;
  std::int64_t n_owned_ = 0, n_ghosts_ = 0;
  double low_[3] = {}, span_[3] = {};                 // of coordinate(d)
  int size_[3] = {}, reach_ = 2, group_ = 1;          // reach: cells on each side of an atom's own
  Array<int> starts_{*this}, ghost_starts_{*this};    // of the cells; the last direction runs fastest
  Array<int> cells_{*this}, order_{*this};
  Array<int> places_[3]{*this, *this, *this};
};

}    // namespace vitrify
