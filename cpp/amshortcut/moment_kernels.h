// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "simd/instruction_set.h"
#include "simd/neighbour_query.h"
#include "simd/sizes.h"
#include "simd/spline_edges.h"

// The inner loops of the flow network, for one precision T: python/vitrify/amshortcut/models/flow.py. Plain data: see
// simd/instruction_set.h.

namespace vitrify {

/// Sums over carried vectors: along the edge, and x, y, z.
constexpr int CARRIED = 4;
/// Width: channels, a multiple of 8. A row of the table has `width` values, or twice as many where there are vectors;
/// there are size + 3 rows, the last three zero, and all are divided by 6.
template <typename T> struct MomentSums {
  int width;
  const T *table;
  const T *s, *v;          // (nodes, width), (nodes, 3, width); v may be null
  T *moments, *carried;    // of this atom, (9, width) and (4, width); is added to
};

/// Gradients of a loss, given those by the moments of one atom.
template <typename T> struct MomentGradients {
  int width;
  const T *table;
  const T *s, *v;
  const T *by_moments, *by_carried;    // (9, width), (4, width)
  T *by_table, *by_s, *by_v;           // is added to
};

/// The network of n <= BATCH atoms in one layer; matrices are stored for products with rows from the left. Widths of
/// matrices and of their products are rounded up to whole vectors.
template <typename T> struct MomentMixing {
  int width, out_width;    // channels; columns of `out`, 3 width or more
  bool first;
  const T *mix;                     // (width, 2 width), after the first layer (3 width, 2 width)
  const T *hidden, *hidden_bias;    // (5 or 6 width, 2 width), (2 width)
  const T *gain, *shift;            // of the hidden values, (2 width), which follow from time, step and properties
  const T *out, *out_bias;          // (2 width, out_width), (out_width)
  // Features, in and out, and the sums over neighbours, of which the moments are changed.
  const T *s, *v;
  T *moments, *carried;
  T *new_s, *new_v;
  // Arrays to work in.
  T *vectors;    // (3 BATCH, 3 width)
  T *mixed;      // (3 BATCH, 2 width)
  T *turned;     // (3 BATCH, width)
  T *scalars;    // (BATCH, 6 width)
  T *hiddens;    // (BATCH, 2 width)
  T *changes;    // (BATCH, out_width)
};

/// The output of n <= BATCH atoms.
template <typename T> struct MomentReadout {
  int width, gate_width;    // channels; columns of `gate`
  const T *gate, *bias;     // (width, gate_width), (gate_width)
  const T *s, *v;
  T *gates;    // (BATCH, gate_width), to work in
};

/// The kernels of one instruction set for the precision T.
template <typename T> struct MomentKernels {
  int lanes;    // values of a vector
  /// Sets rows and weights of the splines for edges->n distances.
  void (*place)(const SplineGrid<T> &, const T *distances, SplineEdges<T> *edges);
  void (*sum)(const MomentSums<T> &, const SplineEdges<T> &);
  void (*backward)(const MomentGradients<T> &, const SplineEdges<T> &);
  /// Finds the nodes around an atom that are closer than the root of `limit`; returns their number.
  int (*find)(const NeighbourQuery &, double limit, const FoundNeighbours<T> &);
  /// The edges to n <= BLOCK neighbours from number `first` on.
  void (*measure)(const SplineGrid<T> &, const FoundNeighbours<T> &, int first, int n, SplineEdges<T> *edges);
  void (*mix)(const MomentMixing<T> &, int n);
  /// answers (n, 3)
  void (*read_out)(const MomentReadout<T> &, int n, double *answers);
};

VITRIFY_DECLARE_KERNELS(MomentKernels<float>);
VITRIFY_DECLARE_KERNELS(MomentKernels<double>);

}    // namespace vitrify
