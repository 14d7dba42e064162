// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "simd/instruction_set.h"
#include "simd/neighbour_query.h"
#include "simd/sizes.h"
#include "simd/spline_edges.h"

// The inner loops of the native engine of latent models, for one precision T:
// python/vitrify/glassvae/models/equivariant.py. Plain data: see simd/instruction_set.h.

namespace vitrify {

/// Length of a row of harmonics. The kernels use as many whole vectors of it as HARMONICS values need.
constexpr int MOST_HARMONICS = 16;

/// Two hidden layers, stored for products with rows from the left, and their transposes.
template <typename T> struct HiddenLayers {
  const T *first, *first_bias;      // (4 width, hidden), (hidden)
  const T *second, *second_bias;    // (hidden, hidden), (hidden)
  const T *first_back, *second_back;
};

/// The weights, the same for all atoms. Width and hidden are rounded up to whole vectors.
template <typename T> struct GlassVAENetwork {
  int n_species, splines, width, hidden;
  double cutoff_square;
  T start, inverse_spacing;
  // Of the species of a centre and of a neighbour (species, species, splines + 3, width): the last three rows are 0,
  // and all are divided by 6.
  const T *radial;
  const T *least;                         // (species, species): closer pairs repel each other
  const T *mix_first, *mix_second;        // (width, 2 width): a and b, c and d
  const T *back_first, *back_second;      // their transposes
  const T *shift;                         // (4 width)
  HiddenLayers<T> graph, energy;          // first_bias of energy is that of the batch's species
  const T *energy_linear, *energy_out;    // (4 width), (hidden)
};

/// The results of n <= BATCH atoms that one pass leaves for the next.
template <typename T> struct GlassVAEBatch {
  int n;
  T *first, *second;    // (n, 3, width), (n, 5, width): moments of rank one and two
  T *x;                 // (n, 4 width): invariants, later the gradient of the energy by them
  T *slopes[2];         // (n, hidden): derivatives of silu in the hidden layers of the graph path
};

/// Arrays that a thread works in.
template <typename T> struct GlassVAEScratch {
  T *sums;                    // (species, splines + 3, MOST_HARMONICS): A of one atom, then the gradient by it
  T *moments;                 // (9, width): of one atom
  T *transposed;              // (width, MOST_HARMONICS): gradients by them
  T *by_first, *by_second;    // (BATCH, 3, width), (BATCH, 5, width): gradients by moments
  T *mixed[2];                // (BATCH, 3, 2 width), (BATCH, 5, 2 width)
  T *values[2];               // (BATCH, hidden)
  T *slopes[2];               // (BATCH, hidden)
};

/// Where `describe` writes the moments of an atom.
template <typename T> struct GlassVAEMoments {
  T *zeroth, *first, *second;    // moments: (width), (3, width), (5, width)
  double *core;                  // repulsion, in energy scales
  double *pairs;                 // (species, splines + 3), to which is added: A of rank 0
  double *closest;               // (species): smallest distances so far of neighbours
};

/// Gradients by the moments of one atom: (width), (3, width), (5, width).
template <typename T> struct GlassVAEGradient {
  const T *zeroth, *first, *second;
};

/// Where `add_forces` adds. Forces are rounded to multiples of a quantum first, by adding `rounder` and subtracting it
/// again, so that sums are exact and do not depend on their order.
template <typename T> struct GlassVAEForces {
  double scale, rounder;
  const T *constant;    // (species, splines + 3): a gradient by A of rank 0, the same for all atoms of a species
  double *forces;       // (nodes, 4) in the order of the grid
  double *virial;       // (6)
  double *virials;      // (nodes, 6) in the order of the grid, or null
};

/// The kernels of one instruction set for the precision T.
template <typename T> struct GlassVAEKernels {
  int lanes;    // values of a vector
  /// Moments of the atom at the centre of the query, and its neighbours. Ids of the query are places in the grid.
  void (*describe)(const GlassVAENetwork<T> &, const NeighbourQuery &, const FoundNeighbours<T> &,
                   const GlassVAEScratch<T> &, const GlassVAEMoments<T> &);
  /// Invariants of a batch, whose x holds the moments of rank 0 before. Adds to `sums` the sums over the atoms of x
  /// (4 width) and of the last hidden layer of the graph path (hidden).
  void (*make_features)(const GlassVAENetwork<T> &, const GlassVAEBatch<T> &, const GlassVAEScratch<T> &, double *sums);
  /// Energies of the atoms; x becomes the gradient of the energy by x. Adds to `by_hidden` the gradients by the first
  /// hidden layer (hidden), before silu.
  void (*energies_and_gradient)(const GlassVAENetwork<T> &, const GlassVAEBatch<T> &, const GlassVAEScratch<T> &,
                                double *energies, double *by_hidden);
  /// Gradients by the moments of rank 0, in x, and of the other ranks, in by_first and by_second of the scratch. The
  /// pooled features add `by_last` (hidden) to the gradient by the last hidden layer of the graph path, and `by_x`
  /// (4 width) to the gradient by x.
  void (*backward)(const GlassVAENetwork<T> &, const GlassVAEBatch<T> &, const GlassVAEScratch<T> &, const T *by_last,
                   const T *by_x);
  /// Finds the neighbours of an atom again, and adds the forces between them.
  void (*add_forces)(const GlassVAENetwork<T> &, const NeighbourQuery &, const FoundNeighbours<T> &,
                     const GlassVAEScratch<T> &, const GlassVAEGradient<T> &, const GlassVAEForces<T> &);
};

VITRIFY_DECLARE_KERNELS(GlassVAEKernels<float>);
VITRIFY_DECLARE_KERNELS(GlassVAEKernels<double>);

}    // namespace vitrify
