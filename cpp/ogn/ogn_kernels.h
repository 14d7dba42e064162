// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ogn/stage_gradient.h"
#include "simd/instruction_set.h"
#include "simd/pair_search.h"
#include "simd/place_search.h"
#include "simd/sizes.h"

#include <cstdint>

// The inner loops of the native engine of OGN, for one precision T: python/vitrify/ogn/models/pair.py.
// Plain data: see simd/instruction_set.h.

namespace vitrify {

constexpr int MAX_CHANNELS = LANES;
constexpr int MAX_GROUPS = 8;
constexpr int MAX_WIDTH = 512;    // inputs, hidden values and outputs of a network
/// Vector (x, y, z, 0) and the columns (xx, xy, xz, 0), (xy, yy, yz, 0), (xz, yz, zz, 0) of a tensor.
constexpr int MOMENT_ROW = 16;

/// Float32 models without moments of up to so many channels and groups sum in whole numbers, which is exact in any
/// order: no bit depends on the number of threads. All other models, those with moments, with many channels or in
/// float64, sum forces in double precision and the rest in their own, whose rounding depends on it.
constexpr int WHOLE_CHANNELS = 3;
constexpr int WHOLE_GROUPS = 2;

/// Values of an atom in sums of whole numbers: of its forces, and of all.
constexpr int whole_forces_width(int channels)
{ return LANES * ((channels + 1) / 2); }
constexpr int whole_width(int channels, int groups)
{ return whole_forces_width(channels) + LANES * groups; }

/// Places are whole numbers in the units of a PlaceFrame for float32 models, and lengths for float64 models.
template <typename T> struct PlaceType {
  using Value = T;
};
template <> struct PlaceType<float> {
  using Value = std::int32_t;
};

/// What every pair reads of a node, together in half a line of the cache for float32 models.
template <typename T> struct alignas(8 * sizeof(T)) NodeRecord {
  typename PlaceType<T>::Value place[4];    // displaced position, and the species
  T gates[4];                               // the first ones, zeros beyond
};

template <typename T> struct PairPass {
  int channels, groups, density_groups, moments;
  // Filters: (pairs of species, intervals, 4 powers of 1 - t from the third down, LANES * groups). For sums in whole
  // numbers they are multiplied by powers of two, one for all forces and one for each density.
  const T *polynomials;
  T start, inverse_spacing, intervals;
  T onset, inverse_width;    // of the envelope
  bool inner_only;           // the stage has no pairs beyond the inner cutoff
  int angular;               // first of the filters of vectors, tensors and their forces
  // Nodes.
  T frame[3][3];                 // the vectors that differences of places count: they are whole multiples of them
  T frame_rest[3][3];            // what rounding has taken from the frame
  bool oblique;                  // more than the diagonal of the frame is not zero
  const NodeRecord<T> *nodes;    // (n_nodes)
  const T *features;    // (n_nodes, feature_width): gates, then with moments from moment_offset on MOMENT_ROW values
  int feature_width, moment_offset;
  // Pairs.
  const PairRange *ranges;    // (n_owned)
  const int *neighbours;
  const T *distances;    // at the start of the stride
  // Sums, to which is added. Densities, LANES * density_groups of each owned atom, stand in the filters' own order:
  // first as many as there are channels, which no network reads.
  T vector_scale;    // of the direction of a force: 1, or a power of two for whole numbers
  double *forces;    // (n_owned, channels, 4)
  T *densities;
  T *moment_sums;    // (n_owned, 12): x, y, z, 0 of the vector, then xx, yy, zz, 0, xy, xz, yz, 0 of the tensor
  // In place of forces and densities, for models that sum in whole numbers: in 32 bits, or the same numbers in `forces`
  // and in wide_densities, which is null otherwise. The first densities are magnitudes of forces.
  std::int32_t
      *whole_sums;    // (n_owned, whole_width()): forces of the channels in pairs, 8 values each, and densities
  double *wide_densities;
};

/// Weights of the filters in the stress of a stage: (pairs of species, 1 + channels, LANES * groups), times 1 and the
/// sums of the gates of both atoms.
template <typename T> struct StressWeights {
  const T *weights;
};

/// The virial of pairs, xx, yy, zz, xy, xz, yz, in whole numbers, whose sums are exact in any order. A pair of which
/// another thread or rank has the other half counts half.
struct StressSums {
  static constexpr double SCALE = 68719476736.0;           // 2^36 of them are the unit of energy
  static constexpr double LARGEST = 4503599627370496.0;    // 2^52: of a pair
  std::int64_t halves[6] = {};
  bool is_number = true;    // false once a term was none, or far too large
};

template <typename T> struct NodeUpdate {
  int channels, scalars, hidden, inputs, moments, density_width, stage, stages;
  const T *input, *input_bias, *output, *output_bias, *gates;
  const NodeRecord<T> *nodes;    // for the species
  const double *slot_weights;    // (species, slots, channels): weights of this stage's forces in the slots
  const T *recall;               // (stages - 1): weights of this stage's moments in `remembered` of stages 1 ...
  // Sums as in PairPass, with those in 32 bits in place of the others unless they are null; and their units.
  const double *forces;
  const T *densities, *moment_sums;
  const std::int32_t *whole_sums;
  double force_unit;
  const T *density_units;    // (LANES * density_groups)
  // State of owned atoms.
  double *slots;        // (n_owned, stages + 1, 4): displacements of stages 1 ... , then the changes dr and dv
  T *remembered;        // (n_owned, stages - 1, 12): weighted moments of all stages before, for stages 1 ...
  T *state, *before;    // (batches, scalars, BATCH): scalars, and densities of the stage before
  // Inputs of the next stage.
  double *displacements;    // (n_nodes, 3)
  T *features;
  int feature_width, moment_offset;
};

/// The kernels of one instruction set for the precision T.
template <typename T> struct OGNKernels {
  SearchPairs<T> search;
  SearchPlaces search_places;    // for float32
  /// Both work on atoms first ... last - 1; `update` wants `first` to be a multiple of BATCH.
  void (*pass)(const PairPass<T> &, std::int64_t first, std::int64_t last);
  void (*update)(const NodeUpdate<T> &, std::int64_t first, std::int64_t last);
  /// Adds the stress of atoms first ... last - 1, from the arguments of `pass`.
  void (*stress)(const PairPass<T> &, const StressWeights<T> &, std::int64_t first, std::int64_t last, StressSums &);
};

VITRIFY_DECLARE_KERNELS(OGNKernels<float>);
VITRIFY_DECLARE_KERNELS(OGNKernels<double>);

}    // namespace vitrify
