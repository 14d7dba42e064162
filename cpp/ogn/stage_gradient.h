// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "simd/instruction_set.h"

#include <cstdint>

namespace vitrify {

/// One stage of the pair variant of OGN with gradients: what training needs of a stage. Plain data: see
/// simd/instruction_set.h.
///
/// Shapes as in python/vitrify/ogn/models/pair.py: `x` (nodes, width) = [y, gates, A, T], `table` (kinds, size + 3,
/// filters) B-spline coefficients whose last three are zero, `sums` (nodes, outputs) = [forces, densities, A, T].
struct StageShape {
  int channels, scalars, moments;
  int size;    // intervals of the splines
  float start, inverse_spacing;
  float onset, cutoff;    // of the envelope, which depends on the distance at the start of the stride
  // Columns of x, of the sums and of the table, which follow from the numbers above.
  int width, outputs, filters;
};

/// Directed edges (n) from i to j with r_j - r_i (n, 3), both directions of each pair, of which one is used; species of
/// the nodes.
struct StageEdges {
  std::int64_t n;
  const std::int64_t *i, *j, *types;
  const float *vectors;
};

constexpr int MAX_FILTERS = 96;    // that a stage may have

/// The kernels of one instruction set.
struct StageKernels {
  /// Adds the sums of the stage to `sums`.
  void (*forward)(const StageShape &shape, const StageEdges &edges, const float *x, const float *table, float *sums);
  /// Adds the gradients of a loss by x and by the table to `x_gradient` and `table_gradient`, given that by the sums.
  void (*backward)(const StageShape &shape, const StageEdges &edges, const float *x, const float *table,
                   const float *sums_gradient, float *x_gradient, float *table_gradient);
};

VITRIFY_DECLARE_KERNELS(StageKernels);

/// A shape whose widths are set.
StageShape stage_shape(int channels, int scalars, int moments, int size, float start, float inverse_spacing,
                       float onset, float cutoff);

/// Run the kernels of the chosen instruction set, which the first call chooses.
void stage_forward(const StageShape &shape, const StageEdges &edges, const float *x, const float *table, float *sums);
void stage_backward(const StageShape &shape, const StageEdges &edges, const float *x, const float *table,
                    const float *sums_gradient, float *x_gradient, float *table_gradient);

}    // namespace vitrify
