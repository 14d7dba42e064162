// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "glassvae/glassvae_tables.h"

#include <cstddef>
#include <limits>

namespace vitrify {

/// Arrays of one thread of a NativeGlassVAE for the atoms that it works on.
template <typename T> struct GlassVAEWorkspace : Workspace {
  // Of one atom.
  Array<int> found{*this};
  Array<T> vectors[3]{*this, *this, *this};
  Array<double> pairs{*this};                     // of a batch: see GlassVAEMoments
  Array<double> closest{*this};                   // (species, species) smallest distances of a centre and a neighbour
  Array<double> forces{*this}, virials{*this};    // (nodes, 4), (nodes, 6), in the order of the grid

  explicit GlassVAEWorkspace(const GlassVAETables<T> &t) :
      n_pairs_(static_cast<std::size_t>(t.n_species) * static_cast<std::size_t>(t.n_species))
  {
    const auto w = static_cast<std::size_t>(t.width), h = static_cast<std::size_t>(t.hidden);
    const std::size_t n = BATCH;
    sums_.reserve(t.rows() * MOST_HARMONICS);
    moments_.reserve(9 * w);
    transposed_.reserve(w * MOST_HARMONICS);
    by_first_.reserve(3 * n * w);
    by_second_.reserve(5 * n * w);
    for (std::size_t k = 0; k < 2; ++k) {
      mixed_[k].reserve((k == 0 ? 6 : 10) * n * w);
      values_[k].reserve(n * h);
      slopes_[k].reserve(n * h);
    }
  }

  GlassVAEScratch<T> scratch()
  {
    return {sums_.data(),
            moments_.data(),
            transposed_.data(),
            by_first_.data(),
            by_second_.data(),
            {mixed_[0].data(), mixed_[1].data()},
            {values_[0].data(), values_[1].data()},
            {slopes_[0].data(), slopes_[1].data()}};
  }

  /// Space for `count` nodes that may be neighbours of an atom.
  FoundNeighbours<T> neighbours(std::size_t count)
  {
    found.reserve(count + BLOCK);
    for (Array<T> &one : vectors) one.reserve(count + BLOCK);
    return {found.data(), {vectors[0].data(), vectors[1].data(), vectors[2].data()}};
  }

  void clear_closest() { closest.fill(n_pairs_, std::numeric_limits<double>::infinity()); }

  void clear_forces(std::size_t nodes, bool with_virials)
  {
    forces.fill(4 * nodes, 0.0);
    if (with_virials) virials.fill(6 * nodes, 0.0);
  }

private:
  std::size_t n_pairs_;
  // See GlassVAEScratch.
  Array<T> sums_{*this}, moments_{*this}, transposed_{*this}, by_first_{*this}, by_second_{*this};
  Array<T> mixed_[2]{*this, *this}, values_[2]{*this, *this}, slopes_[2]{*this, *this};
};

}    // namespace vitrify
