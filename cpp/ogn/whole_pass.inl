// SPDX-License-Identifier: BSD-3-Clause
// Sums over pairs in whole numbers, of 32 bits or the same numbers in double precision; local to kernels.cpp.
#pragma once

#include "ogn/measure.inl"
#include "ogn/ogn_kernels.h"
#include "ogn/whole_numbers.inl"
#include "simd/vectors.inl"

#include <cstdint>

namespace vitrify {

namespace {

/// Sums over the pairs of one atom.
template <int CHANNELS, int GROUPS> struct WholeSums {
  static constexpr int PARTS = (CHANNELS + 1) / 2;
  Wholes forces[PARTS] = {}, densities[GROUPS] = {};
};

// One block's pairs from ... to - 1 of an atom with the gates `own`; they add to the sums of BOTH atoms, or of the
// centre alone. The densities at the place of the forces are sums of their magnitudes, which tell how large the sums of
// forces can have become.
template <int CHANNELS, int GROUPS, bool BOTH>
inline void add_whole_pairs(const PairPass<float> &p, const Block<float> &block, WholeSums<CHANNELS, GROUPS> &sums,
                            const Four<float> &own, const int *neighbours, int from, int to)
{
  constexpr int PARTS = WholeSums<CHANNELS, GROUPS>::PARTS;
  // Copies, because the compiler cannot know that what is stored below leaves `p` as it is.
  const float *polynomials = p.polynomials;
  const NodeRecord<float> *nodes = p.nodes;
  std::int32_t *all = p.whole_sums;
  for (int k = from; k < to; ++k) {
    const std::int64_t j = neighbours[k];
    std::int32_t *others = all + j * whole_width(CHANNELS, GROUPS);
    const float *row = polynomials + static_cast<std::int64_t>(block.rows[k]) * (4 * LANES * GROUPS);
    Four<float> strengths;
    for (int g = 0; g < GROUPS; ++g) {
      Lanes<float> value = filter(row + g * LANES, GROUPS, block.left[k], block.envelope[k]);
      if (g == 0) {
        // The gates are added first, so that the terms of i-j and j-i are opposite to the last bit.
        const Four<float> gates = own + load<Four<float>>(nodes[j].gates);
        strengths = first_four(value) * (Four<float>::all(1.0f) + gates);
        value = with_magnitudes<CHANNELS>(value);
      }
      const Wholes densities = rounded(value);
      sums.densities[g] += densities;
      if (BOTH) add_to(others + whole_forces_width(CHANNELS) + g * LANES, densities);
    }
    const Lanes<float> e = twice(block.vectors[k]);
    const Wholes forces[2] = {rounded(e * spread<0>(strengths)), rounded(e * spread<1>(strengths))};
    for (int q = 0; q < PARTS; ++q) {
      sums.forces[q] += forces[q];
      if (BOTH) subtract_from(others + q * LANES, forces[q]);
    }
  }
}

template <int CHANNELS, int GROUPS>
inline void add_whole_sums(const PairPass<float> &p, const WholeSums<CHANNELS, GROUPS> &sums, std::int64_t i)
{
  std::int32_t *own = p.whole_sums + i * whole_width(CHANNELS, GROUPS);
  for (int q = 0; q < sums.PARTS; ++q) add_to(own + q * LANES, sums.forces[q]);
  for (int g = 0; g < GROUPS; ++g) add_to(own + whole_forces_width(CHANNELS) + g * LANES, sums.densities[g]);
}

// What add_whole_pairs() adds to BOTH atoms or to the centre i alone, number by number, in double precision: such sums
// are exact up to 2^53. For atoms so close or so many that 32 bits are too few, which is rare. Because the numbers are
// the same, one rank need not know which of the two ways another one takes.
template <bool BOTH>
inline void add_wide_pairs(const PairPass<float> &p, const Block<float> &block, std::int64_t i, const int *neighbours,
                           int from, int to)
{
  const int channels = p.channels, groups = p.groups;
  const NodeRecord<float> *nodes = p.nodes;
  double *all_forces = p.forces, *all_densities = p.wide_densities;
  for (int k = from; k < to; ++k) {
    const std::int64_t j = neighbours[k];
    const float *row = p.polynomials + static_cast<std::int64_t>(block.rows[k]) * (4 * LANES * groups);
    alignas(64) float values[LANES], force[4];
    for (int g = groups - 1; g >= 0; --g) {    // the group of the forces is last, whose values are there afterwards
      store(values, filter(row + g * LANES, groups, block.left[k], block.envelope[k]));
      double *mine = all_densities + (i * groups + g) * LANES, *theirs = all_densities + (j * groups + g) * LANES;
      for (int d = 0; d < LANES; ++d) {
        const double density = __builtin_rintf(g == 0 && d < channels ? __builtin_fabsf(values[d]) : values[d]);
        mine[d] += density;
        if (BOTH) theirs[d] += density;
      }
    }
    for (int c = 0; c < channels; ++c) {
      const float strength = values[c] * (1.0f + (nodes[i].gates[c] + nodes[j].gates[c]));
      double *mine = all_forces + 4 * (i * channels + c), *theirs = all_forces + 4 * (j * channels + c);
      for (int q = 0; q < 4; ++q) force[q] = __builtin_rintf(block.vectors[k][q] * strength);
      for (int q = 0; q < 4; ++q) mine[q] += force[q];
      if (BOTH)
        for (int q = 0; q < 4; ++q) theirs[q] -= force[q];
    }
  }
}

}    // namespace

}    // namespace vitrify
