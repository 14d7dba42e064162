// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace vitrify {

/// Filters and densities of a pair are worked on in groups of this many values.
constexpr int LANES = 8;
/// Pairs that are worked on at a time. Arrays of pairs have room for one such block after their end.
constexpr int BLOCK = 64;
/// Atoms whose networks are evaluated together.
constexpr int BATCH = 16;
/// Neighbours that are worked on at a time where each of them has a value or two, and the distance between two rows of
/// such values: not a power of two, so that the rows do not compete for the same lines of the cache.
constexpr int LONG_BLOCK = 256;
constexpr int LONG_STRIDE = 272;
/// Ranges of grid cells that may hold neighbours of one atom, at most.
constexpr int MAX_RANGES = 25;

}    // namespace vitrify
