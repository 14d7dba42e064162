// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "amshortcut/moment_kernels.h"
#include "glassvae/glassvae_kernels.h"
#include "symgnn/symgnn_kernels.h"

#include <cstdint>

// What the native engine computes in its inner loops, for one precision T. The code is compiled once for each
// instruction set (native_kernels.inl), so this header must hold plain data only: a function of it that one compilation
// emits could be linked into the others.

namespace vitrify {

/// Values of a filter row stand in groups of this many, of densities and spline coefficients alike.
constexpr int LANES = 8;
/// Pairs that are worked on at a time; arrays of pairs have room for one such block after their end.
constexpr int BLOCK = 64;
/// Atoms whose networks are evaluated together.
constexpr int BATCH = 16;
constexpr int MAX_CHANNELS = LANES;
constexpr int MAX_GROUPS = 8;
constexpr int MAX_WIDTH = 512;    // inputs, hidden values and outputs of a network
/// Vector (x, y, z, 0) and the columns (xx, xy, xz, 0), (xy, yy, yz, 0), (xz, yz, zz, 0) of a tensor.
constexpr int MOMENT_ROW = 16;

/// Sorted nodes first ... last - 1 of a NodeGrid.
struct CellRange {
  int first, last;
};
constexpr int MAX_RUNS = 25;

/// The pairs of one atom: neighbours[first ... first + ends[3] - 1]. Up to ends[0] those closer than the inner cutoff
/// at the start of the stride whose two atoms both gain, up to ends[1] those of which only this atom gains; then the
/// same two sorts for pairs further apart.
struct PairRange {
  std::int64_t first = 0;
  int ends[4] = {0, 0, 0, 0};
};

template <typename T> struct PairPass {
  int channels, groups, density_groups, moments;
  // Filters: (pairs of species, intervals, 4 powers of 1 - t from the third down, LANES * groups).
  const T *polynomials;
  int kind_size;    // of the filters of one pair of species
  T start, inverse_spacing, intervals;
  T onset, inverse_width;    // of the envelope
  bool inner_only;           // the stage sees no pair beyond the inner cutoff
  int angular;               // first of the filters of vectors, tensors and their forces
  // Nodes.
  const double *places;    // (n_nodes, 4): displaced position, and the species
  const T *features;       // (n_nodes, feature_width): gates, then with moments from moment_offset on MOMENT_ROW values
  int feature_width, moment_offset;
  // Pairs.
  const PairRange *ranges;    // (n_owned)
  const int *neighbours;
  const T *distances;    // at the start of the stride
  // Sums, to which is added.
  double *forces;    // (n_owned, channels, 4)
  T *densities;      // (n_owned, LANES * density_groups): the filters' own order, forces first
  T *moment_sums;    // (n_owned, 12): vector (4), xx, yy, zz, xy, xz, yz, 0, 0
};

template <typename T> struct NodeUpdate {
  int channels, scalars, hidden, inputs, moments, density_width, stage, stages;
  const T *input, *input_bias, *output, *output_bias, *gates;
  const double *places;          // for the species
  const double *slot_weights;    // (species, slots, channels): weights of this stage's forces in the slots
  const T *recall;               // (stages - 1): weights of this stage's moments in what the stages see
  const double *forces;
  const T *densities, *moment_sums;
  // State of owned atoms.
  double *slots;        // (n_owned, stages + 1, 4): displacements of stages 1 ... , then the changes dr and dv
  T *seen;              // (n_owned, stages - 1, 12): moments that stages 1 ... see
  T *state, *before;    // (batches, scalars, BATCH): scalars, and densities of the stage before
  // What the next stage sees.
  double *displacements;    // (n_nodes, 3)
  T *features;
  int feature_width, moment_offset;
};

/// A search for the pairs of the atoms first ... last - 1; what is not among them gains in another list, or elsewhere.
struct PairSearch {
  const double *positions;    // (n_nodes, 3)
  const int *types;           // (n_nodes)
  int n_species;
  const int *grid_ids;    // sorted nodes of a grid, and their coordinates
  const double *grid_axes[3];
  int first, last;
  double cutoff_square, inner_square;
  // Room for the nodes around one atom and one more vector.
  int *found;
  double *squares;
  double *least;    // (species, species): smallest squared distances so far, of a centre and a neighbour
};

/// What one instruction set has for the precision T.
template <typename T> struct Kernels {
  /// Finds the pairs of atom i among `n_runs` runs of a grid, sorts them as PairRange says, and returns their number.
  /// Arrays have room for one more vector.
  int (*search)(const PairSearch &, std::int64_t i, const CellRange *runs, int n_runs, int *neighbours, T *distances,
                int *ends);
  /// The two work on atoms first ... last - 1; `update` wants `first` to be a multiple of BATCH.
  void (*pass)(const PairPass<T> &, std::int64_t first, std::int64_t last);
  void (*update)(const NodeUpdate<T> &, std::int64_t first, std::int64_t last);
  /// For models of structures.
  SymGNNKernels<T> structure;
  /// For generators.
  MomentKernels<T> moments;
  /// For latent models.
  GlassVAEKernels<T> energy_engine;
};

/// The kernels of one instruction set and both precisions.
struct KernelSet {
  const char *name;
  Kernels<float> in_float;
  Kernels<double> in_double;
};

KernelSet default_kernels();
#ifdef VITRIFY_X86
KernelSet avx2_kernels();
KernelSet avx512_kernels();
#endif

}    // namespace vitrify
