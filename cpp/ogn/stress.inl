// SPDX-License-Identifier: BSD-3-Clause
// The stress of a stage: a pass over its pairs of its own, local to kernels.cpp.
#pragma once

#include "ogn/measure.inl"
#include "ogn/ogn_kernels.h"
#include "ogn/pass.inl"
#include "simd/vectors.inl"

#include <cmath>
#include <cstdint>

namespace vitrify {

namespace {

// d, the displaced neighbour from the displaced centre, in double precision, whose products are not rounded to less
// than the whole numbers that they are summed in. The same for i-j and j-i but for the sign.
template <typename T>
inline void displaced_vector(const PairPass<T> &p, const NodeRecord<T> &centre, const NodeRecord<T> &other, double d[3])
{
  double difference[3];
  for (int k = 0; k < 3; ++k) {
    if constexpr (sizeof(T) == sizeof(float))    // may run over, as in FourRows::difference
      difference[k] = static_cast<std::int32_t>(static_cast<std::uint32_t>(other.place[k]) -
                                                static_cast<std::uint32_t>(centre.place[k]));
    else
      difference[k] = other.place[k] - centre.place[k];
  }
  for (int q = 0; q < 3; ++q) {
    d[q] = 0.0;
    for (int k = 0; k < 3; ++k)
      d[q] += difference[k] * (static_cast<double>(p.frame[k][q]) + static_cast<double>(p.frame_rest[k][q]));
  }
}

// The weighted filters of pair k of a block, those in groups of eight, at which `terms` ends.
template <typename T>
inline void weighted_filters(const PairPass<T> &p, const StressWeights<T> &w, const Block<T> &block, int k,
                             const T *own, const T *other, T *terms)
{
  const T *row = p.polynomials + static_cast<std::int64_t>(block.rows[k]) * (4 * LANES * p.groups);
  const int kind = block.rows[k] / static_cast<int>(p.intervals), width = LANES * p.groups;
  const T *weights = w.weights + static_cast<std::int64_t>(kind) * (1 + p.channels) * width;
  for (int g = 0; g < p.groups; ++g) {
    Lanes<T> factor = load<Lanes<T>>(weights + g * LANES);
    for (int c = 0; c < p.channels; ++c)
      factor += load<Lanes<T>>(weights + (1 + c) * width + g * LANES) * (own[c] + other[c]);
    store(terms + g * LANES, filter(row + g * LANES, p.groups, block.left[k], block.envelope[k]) * factor);
  }
}

// The force of a pair that the stress is made of, on the centre, without the part along d: what vectors and tensors add.
template <typename T>
inline void angular_force(const PairPass<T> &p, const T *own, const T *other, const T *terms, const double e[3],
                          double force[3])
{
  const T *mine = own + p.moment_offset, *theirs = other + p.moment_offset;
  double size[4] = {};
  for (int q = 0; q < 4; ++q)
    for (int c = 0; c < p.channels; ++c) size[q] += static_cast<double>(terms[p.angular + 2 + q * p.channels + c]);
  double difference[3], bent[3], along = 0.0, across = 0.0;
  for (int q = 0; q < 3; ++q) {
    difference[q] = static_cast<double>(mine[q]) - static_cast<double>(theirs[q]);
    bent[q] = 0.0;
    for (int column = 0; column < 3; ++column)
      bent[q] += e[column] * (static_cast<double>(mine[4 + 4 * column + q]) + static_cast<double>(theirs[4 + 4 * column + q]));
  }
  for (int q = 0; q < 3; ++q) {
    along += difference[q] * e[q];
    across += bent[q] * e[q];
  }
  for (int q = 0; q < 3; ++q)
    force[q] = size[0] * difference[q] + size[1] * bent[q] + (size[2] * along + size[3] * across) * e[q];
}

// Adds the virial of one pair, in whole numbers: `shares` of two halves of it.
inline void add_virial(const double d[3], const double force[3], int shares, StressSums &sums)
{
  constexpr int FIRST[6] = {0, 1, 2, 0, 0, 1}, SECOND[6] = {0, 1, 2, 1, 2, 2};
  for (int q = 0; q < 6; ++q) {
    const double value = -0.5 * (d[FIRST[q]] * force[SECOND[q]] + d[SECOND[q]] * force[FIRST[q]]) * StressSums::SCALE;
    if (!(std::fabs(value) < StressSums::LARGEST)) {
      sums.is_number = false;
      continue;
    }
    sums.halves[q] += shares * static_cast<std::int64_t>(std::nearbyint(value));
  }
}

template <typename T>
void stress(const PairPass<T> &p, const StressWeights<T> &w, std::int64_t first_atom, std::int64_t last_atom,
            StressSums &sums)
{
  Block<T> block = {};
  alignas(64) T terms[MAX_GROUPS * LANES];
  for (std::int64_t i = first_atom; i < last_atom; ++i) {
    const T *own = p.features + i * p.feature_width;
    for_blocks(p, block, i, [&](auto both, const int *neighbours, int from, int to) {
      for (int k = from; k < to; ++k) {
        const std::int64_t j = neighbours[k];
        const T *other = p.features + j * p.feature_width;
        weighted_filters(p, w, block, k, own, other, terms);
        double d[3], e[3], force[3] = {};
        displaced_vector(p, p.nodes[i], p.nodes[j], d);
        const double square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
        const double inverse = 1.0 / std::sqrt(square > 1e-12 ? square : 1e-12);
        for (int q = 0; q < 3; ++q) e[q] = d[q] * inverse;
        if (p.moments) angular_force(p, own, other, terms, e, force);
        T central = 0;
        for (int f = 0; f < p.angular; ++f) central += terms[f];
        for (int q = 0; q < 3; ++q) force[q] += static_cast<double>(central) * e[q];
        add_virial(d, force, decltype(both)::value ? 2 : 1, sums);
      }
    });
  }
}

}    // namespace

}    // namespace vitrify
