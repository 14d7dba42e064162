// SPDX-License-Identifier: BSD-3-Clause
// The pass over the pairs, local to kernels.cpp.
#pragma once

#include "ogn/measure.inl"
#include "ogn/ogn_kernels.h"
#include "ogn/whole_pass.inl"
#include "simd/vectors.inl"

#include <type_traits>

namespace vitrify {

namespace {

/// Sums over the pairs of one atom. C and V are the numbers of channels and groups, or upper bounds of them.
template <typename T, int C, int V> struct AtomSums {
  Double4 forces[C] = {};
  Lanes<T> densities[V] = {};
  Four<T> moments[3] = {};    // in the order of PairPass::moment_sums
};

// One block's pairs from ... to - 1; they add to the sums of BOTH atoms, or of the centre alone. CHANNELS and GROUPS
// are 0 if they are not known to the compiler.
template <typename T, int CHANNELS, int GROUPS, bool MOMENTS, bool BOTH, typename Sums>
inline void add_pairs(const PairPass<T> &p, const Block<T> &block, Sums &sums, std::int64_t i, const int *neighbours,
                      int from, int to)
{
  const int channels = CHANNELS ? CHANNELS : p.channels;
  const int groups = GROUPS ? GROUPS : p.groups;
  const int density_groups = MOMENTS || !GROUPS ? p.density_groups : GROUPS;
  const T *own = p.features + i * p.feature_width;
  for (int k = from; k < to; ++k) {
    const std::int64_t j = neighbours[k];
    const T *row = p.polynomials + static_cast<std::int64_t>(block.rows[k]) * (4 * LANES * groups);
    const T left = block.left[k], envelope = block.envelope[k];
    alignas(64) T values[(GROUPS ? GROUPS : MAX_GROUPS) * LANES];
    for (int g = 0; g < groups; ++g) {
      const Lanes<T> value = filter(row + g * LANES, groups, left, envelope);
      store(values + g * LANES, value);
      if (g >= density_groups) continue;
      sums.densities[g] += value;
      if (BOTH) {
        T *densities = p.densities + (j * density_groups + g) * LANES;
        store(densities, load<Lanes<T>>(densities) + value);
      }
    }
    const Four<T> e = load<Four<T>>(block.vectors[k]);
    const T *other = p.features + j * p.feature_width;
    Four<T> difference{}, bent{};
    T along = 0, across = 0;
    if constexpr (MOMENTS) {
      const T *mine = own + p.moment_offset, *theirs = other + p.moment_offset;
      difference = load<Four<T>>(mine) - load<Four<T>>(theirs);
      bent = (load<Four<T>>(mine + 4) + load<Four<T>>(theirs + 4)) * e[0] +
             (load<Four<T>>(mine + 8) + load<Four<T>>(theirs + 8)) * e[1] +
             (load<Four<T>>(mine + 12) + load<Four<T>>(theirs + 12)) * e[2];
      along = difference[0] * e[0] + difference[1] * e[1] + difference[2] * e[2];
      across = bent[0] * e[0] + bent[1] * e[1] + bent[2] * e[2];
    }
    for (int c = 0; c < channels; ++c) {
      // The gates are added first, so that the terms of i-j and j-i are opposite to the last bit.
      const T strength = values[c] * (T(1) + (own[c] + other[c]));
      Four<T> force = e * strength;
      if constexpr (MOMENTS) {
        const T *f = values + p.angular + 2 + c;
        force =
            force + difference * f[0] + bent * f[channels] + e * (f[2 * channels] * along + f[3 * channels] * across);
      }
      const Double4 wide = converted<double>(force);
      sums.forces[c] += wide;
      if (BOTH) {
        double *forces = p.forces + 4 * (j * channels + c);
        store(forces, load<Double4>(forces) - wide);
      }
    }
    if constexpr (MOMENTS) {
      // Products by shuffles: values that were stored one by one and loaded together would stall.
      const T scale = values[p.angular + 1];
      const Four<T> vector = e * values[p.angular];
      const Four<T> diagonal = e * e * scale;
      const Four<T> mixed = picked<0, 0, 1, 3>(e) * picked<1, 2, 2, 3>(e) * scale;
      sums.moments[0] += vector;
      sums.moments[1] += diagonal;
      sums.moments[2] += mixed;
      if (BOTH) {
        T *moments = p.moment_sums + 12 * j;
        store(moments, load<Four<T>>(moments) - vector);
        store(moments + 4, load<Four<T>>(moments + 4) + diagonal);
        store(moments + 8, load<Four<T>>(moments + 8) + mixed);
      }
    }
  }
}

template <typename T, int CHANNELS, int GROUPS, bool MOMENTS, typename Sums>
inline void add_sums(const PairPass<T> &p, const Sums &sums, std::int64_t i)
{
  const int channels = CHANNELS ? CHANNELS : p.channels;
  for (int c = 0; c < channels; ++c) {
    double *forces = p.forces + 4 * (i * channels + c);
    store(forces, load<Double4>(forces) + sums.forces[c]);
  }
  for (int g = 0; g < p.density_groups; ++g) {
    T *densities = p.densities + (i * p.density_groups + g) * LANES;
    store(densities, load<Lanes<T>>(densities) + sums.densities[g]);
  }
  if constexpr (MOMENTS) {
    for (int q = 0; q < 3; ++q) {
      T *moments = p.moment_sums + 12 * i + 4 * q;
      store(moments, load<Four<T>>(moments) + sums.moments[q]);
    }
  }
}

// Calls add(both, neighbours, from, to) for all pairs of atom i, block by block, whose geometry is in `block` then.
template <typename T, typename Add>
VITRIFY_INLINE void for_blocks(const PairPass<T> &p, Block<T> &block, std::int64_t i, const Add &add)
{
  const PairRange &range = p.ranges[i];
  const int segments = p.inner_only ? 2 : 4;
  const int n = range.ends[segments - 1];
  for (int base = 0; base < n; base += BLOCK) {
    const int size = n - base < BLOCK ? n - base : BLOCK;
    const std::int64_t first = range.first + base;
    measure(p, block, i, first, size);
    int from = 0;
    for (int segment = 0; segment < segments; ++segment) {
      int to = range.ends[segment] - base;
      to = to < size ? to : size;
      if (to <= from) continue;
      if (segment % 2 == 0)
        add(std::true_type(), p.neighbours + first, from, to);
      else
        add(std::false_type(), p.neighbours + first, from, to);
      from = to;
    }
  }
}

template <typename T, int CHANNELS, int GROUPS, bool MOMENTS>
void pass_of(const PairPass<T> &p, std::int64_t first_atom, std::int64_t last_atom)
{
  constexpr bool WHOLE = sizeof(T) == sizeof(float) && !MOMENTS && CHANNELS && CHANNELS <= WHOLE_CHANNELS && GROUPS &&
                         GROUPS <= WHOLE_GROUPS;
  Block<T> block = {};
  for (std::int64_t i = first_atom; i < last_atom; ++i) {
    if constexpr (WHOLE) {
      WholeSums<CHANNELS, GROUPS> sums;
      const Four<float> own = load<Four<float>>(p.nodes[i].gates);
      for_blocks(p, block, i, [&](auto both, const int *neighbours, int from, int to) {
        add_whole_pairs<CHANNELS, GROUPS, decltype(both)::value>(p, block, sums, own, neighbours, from, to);
      });
      add_whole_sums(p, sums, i);
    } else {
      AtomSums<T, CHANNELS ? CHANNELS : MAX_CHANNELS, GROUPS ? GROUPS : MAX_GROUPS> sums;
      for_blocks(p, block, i, [&](auto both, const int *neighbours, int from, int to) {
        add_pairs<T, CHANNELS, GROUPS, MOMENTS, decltype(both)::value>(p, block, sums, i, neighbours, from, to);
      });
      add_sums<T, CHANNELS, GROUPS, MOMENTS>(p, sums, i);
    }
  }
}

template <typename T, bool MOMENTS, int CHANNELS>
void pass_of_groups(const PairPass<T> &p, std::int64_t first, std::int64_t last)
{
  constexpr int fewest = MOMENTS ? 2 : 1;
  if (p.groups == fewest) return pass_of<T, CHANNELS, fewest, MOMENTS>(p, first, last);
  if (p.groups == fewest + 1) return pass_of<T, CHANNELS, fewest + 1, MOMENTS>(p, first, last);
  pass_of<T, CHANNELS, 0, MOMENTS>(p, first, last);
}

template <typename T, bool MOMENTS> void pass_of_channels(const PairPass<T> &p, std::int64_t first, std::int64_t last)
{
  if (p.channels == 1) return pass_of_groups<T, MOMENTS, 1>(p, first, last);
  if (p.channels == 2) return pass_of_groups<T, MOMENTS, 2>(p, first, last);
  if (p.channels == 3) return pass_of_groups<T, MOMENTS, 3>(p, first, last);
  pass_of<T, 0, 0, MOMENTS>(p, first, last);
}

inline void wide_pass(const PairPass<float> &p, std::int64_t first_atom, std::int64_t last_atom)
{
  Block<float> block = {};
  for (std::int64_t i = first_atom; i < last_atom; ++i)
    for_blocks(p, block, i, [&](auto both, const int *neighbours, int from, int to) {
      add_wide_pairs<decltype(both)::value>(p, block, i, neighbours, from, to);
    });
}

template <typename T> void pass(const PairPass<T> &p, std::int64_t first, std::int64_t last)
{
  if constexpr (sizeof(T) == sizeof(float)) {
    if (p.wide_densities) return wide_pass(p, first, last);
  }
  if (p.moments)
    pass_of_channels<T, true>(p, first, last);
  else
    pass_of_channels<T, false>(p, first, last);
}

}    // namespace

}    // namespace vitrify
