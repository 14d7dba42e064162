// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "simd/instruction_set.h"
#include "simd/neighbour_query.h"
#include "simd/sizes.h"
#include "simd/spline_edges.h"

// What the native engine computes in its inner loops for latent models, for one precision T:
// python/vitrify/glassvae/models/equivariant.py. As simd/instruction_set.h, this header holds plain data only.

namespace vitrify {

/// Room for a row of harmonics; kernels use as many whole vectors of it as nine values need.
constexpr int MOST_HARMONICS = 16;

/// Two hidden layers, stored for products with rows from the left, and their transposes.
template <typename T> struct HiddenLayers {
  const T *first, *first_bias;      // (4 width, hidden), (hidden)
  const T *second, *second_bias;    // (hidden, hidden), (hidden)
  const T *first_back, *second_back;
};

/// What is the same for all atoms. Width and hidden: columns, rounded up to whole vectors.
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

/// What is kept of n <= BATCH atoms between the passes: moments of rank one and two, invariants, later the
/// gradient by them, and the slopes of the graph path's hidden layers.
template <typename T> struct GlassVAEBatch {
  int n;
  T *first, *second;    // (n, 3, width), (n, 5, width)
  T *x;                 // (n, 4 width)
  T *slopes[2];         // (n, hidden)
};

/// Room of a thread.
template <typename T> struct GlassVAEScratch {
  T *sums;                    // (species, splines + 3, MOST_HARMONICS): A of one atom, then the gradient by it
  T *moments;                 // (9, width): of one atom
  T *turned;                  // (width, MOST_HARMONICS): gradients by them
  T *by_first, *by_second;    // (BATCH, 3, width), (BATCH, 5, width): gradients by moments
  T *mixed[2];                // (BATCH, 3, 2 width), (BATCH, 5, 2 width)
  T *values[2];               // (BATCH, hidden)
  T *slopes[2];               // (BATCH, hidden)
};

/// What `describe` finds of an atom.
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

/// Where forces go. Numbers are rounded to multiples of a quantum before they are added, so that sums are exact and do
/// not depend on their order: adding and subtracting `rounder` does that.
template <typename T> struct GlassVAEForces {
  double scale, rounder;
  const T *constant;    // (species, splines + 3): gradient by A of rank 0 that all atoms of its species have
  double *forces;       // (places, 4), to which is added
  double *virial;       // (6), to which is added
  double *virials;      // (places, 6), to which is added, or null
};

/// What one instruction set has for the precision T.
template <typename T> struct GlassVAEKernels {
  int lanes;    // values of a vector
  /// Moments of the atom in the middle of its neighbour_query, whose ids are places and types species of places.
  void (*describe)(const GlassVAENetwork<T> &, const NeighbourQuery &, const FoundNeighbours<T> &,
                   const GlassVAEScratch<T> &, const GlassVAEMoments<T> &);
  /// Invariants of a batch; x holds the moments of rank 0. Adds the sums of x (4 width) and of the graph path's last
  /// hidden layer (hidden) over the atoms.
  void (*make_features)(const GlassVAENetwork<T> &, const GlassVAEBatch<T> &, const GlassVAEScratch<T> &, double *sums);
  /// Energies of the atoms; x becomes the gradient by x. Adds the gradients by the first hidden layer (hidden).
  void (*energies_and_gradient)(const GlassVAENetwork<T> &, const GlassVAEBatch<T> &, const GlassVAEScratch<T> &,
                                double *energies, double *by_hidden);
  /// Gradients by the moments, in x and in the room. by_last: (hidden), the gradient by the graph path's last hidden
  /// layer; by_x (4 width): beside it.
  void (*backward)(const GlassVAENetwork<T> &, const GlassVAEBatch<T> &, const GlassVAEScratch<T> &, const T *by_last,
                   const T *by_x);
  /// Forces of an atom's pairs.
  void (*add_forces)(const GlassVAENetwork<T> &, const NeighbourQuery &, const FoundNeighbours<T> &,
                     const GlassVAEScratch<T> &, const GlassVAEGradient<T> &, const GlassVAEForces<T> &);
};

VITRIFY_DECLARE_KERNELS(GlassVAEKernels<float>);
VITRIFY_DECLARE_KERNELS(GlassVAEKernels<double>);

}    // namespace vitrify
