// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "ogn/ogn_kernels.h"
#include "ogn/ogn_tables.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vitrify {

/// What the pass over the pairs of a stage sums for each owned atom: forces, densities and moments.
///
/// Models for which OGNTables::whole is true sum whole numbers in 32 bits. Where these are too few, because atoms are
/// far closer or far more than in a melt, the sums of a stage are `wide`: the same numbers in double precision. Either
/// way gives the same bits, so that ranks need not agree on it.
template <typename T> class PairSums : public Workspace {
public:
  PairSums(const OGNTables<T> &tables, std::size_t n_threads);

  /// Makes room for so many atoms, of which one has so many neighbours.
  void reserve(std::size_t n_owned, int most_neighbours);
  /// Chooses the sums of a stage.
  void begin(int stage);
  /// Sets those of atoms first ... last - 1 to zero.
  void clear(std::int64_t first, std::int64_t last);
  /// To be called by each thread, by its number, when its sums are made.
  void note_magnitudes(std::size_t thread, std::int64_t first, std::int64_t last);
  /// Whether the sums may have left their range, with gates of up to so much. Then they are wide from now on and have
  /// to be made again. True of a gate that is no number.
  bool must_be_wider(double largest_gate);
  /// Makes densities of wide ones, for atoms first ... last - 1.
  void narrow(std::int64_t first, std::int64_t last);
  bool wide() const { return wide_; }

  /// Where they are.
  void describe(PairPass<T> &pass);
  void describe(NodeUpdate<T> &update);

private:
  void widen();

  const OGNTables<T> &tables_;
  std::size_t n_owned_ = 0;
  int stage_ = 0;
  bool too_many_ = false, wide_ = false;    // too_many: neighbours of one atom, for any stage
  std::vector<char> were_wide_;             // stages that had to be wide in the last stride
  std::vector<double> magnitudes_;          // of each thread: largest sum of magnitudes of forces, without gates

  // ogn_kernels.h says what each holds.
  Array<double> forces_{*this}, wide_densities_{*this};
  Array<std::int32_t> whole_{*this};
  Array<T> densities_{*this}, moments_{*this};
};

}    // namespace vitrify
