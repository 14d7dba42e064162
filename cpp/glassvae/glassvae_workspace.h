// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/buffer.h"
#include "glassvae/glassvae_tables.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <vector>

namespace vitrify {

/// What one thread of a EnergyEngine needs for the atoms that it works on.
template <typename T> struct GlassVAEWorkspace {
  Buffer<int> found;    // of one atom
  std::array<Buffer<T>, 3> vectors;
  std::array<Buffer<T>, 11> room;
  std::vector<double> closest;       // (species, species): of a centre and a neighbour
  Buffer<double> forces, virials;    // (nodes, 4), (nodes, 6), in the order of the grid

  explicit GlassVAEWorkspace(const GlassVAETables<T> &t) :
      closest(static_cast<std::size_t>(t.n_species) * static_cast<std::size_t>(t.n_species))
  {
    const auto w = static_cast<std::size_t>(t.width), h = static_cast<std::size_t>(t.hidden);
    const std::size_t n = BATCH;
    const std::size_t sizes[] = {t.rows() * MOST_HARMONICS,
                                 9 * w,
                                 w * MOST_HARMONICS,
                                 3 * n * w,
                                 5 * n * w,
                                 6 * n * w,
                                 10 * n * w,
                                 n * h,
                                 n * h,
                                 n * h,
                                 n * h};
    for (std::size_t k = 0; k < room.size(); ++k) room[k].reserve(sizes[k]);
  }

  GlassVAEScratch<T> scratch()
  {
    return {room[0].data(),
            room[1].data(),
            room[2].data(),
            room[3].data(),
            room[4].data(),
            {room[5].data(), room[6].data()},
            {room[7].data(), room[8].data()},
            {room[9].data(), room[10].data()}};
  }

  /// Room for the nodes that may be neighbours.
  FoundNeighbours<T> neighbours(std::size_t count)
  {
    found.reserve(count + BLOCK);
    for (Buffer<T> &one : vectors) one.reserve(count + BLOCK);
    return {found.data(), {vectors[0].data(), vectors[1].data(), vectors[2].data()}};
  }

  void clear_closest() { std::fill(closest.begin(), closest.end(), std::numeric_limits<double>::infinity()); }

  void clear_forces(std::size_t nodes, bool with_virials)
  {
    forces.reserve(4 * nodes);
    std::fill_n(forces.data(), 4 * nodes, 0.0);
    if (!with_virials) return;
    virials.reserve(6 * nodes);
    std::fill_n(virials.data(), 6 * nodes, 0.0);
  }

  std::size_t bytes() const
  {
    std::size_t sum = found.bytes() + closest.size() * sizeof(double) + forces.bytes() + virials.bytes();
    for (const Buffer<T> &one : vectors) sum += one.bytes();
    for (const Buffer<T> &one : room) sum += one.bytes();
    return sum;
  }
};

}    // namespace vitrify
