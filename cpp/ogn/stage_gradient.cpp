// SPDX-License-Identifier: BSD-3-Clause
#include "ogn/stage_gradient.h"

namespace vitrify {

namespace {

const StageKernels &kernels()
{
  static const StageKernels chosen = chosen_kernels<StageKernels>();
  return chosen;
}

}    // namespace

StageShape stage_shape(int channels, int scalars, int moments, int size, float start, float inverse_spacing,
                       float onset, float cutoff)
{
  return {channels,
          scalars,
          moments,
          size,
          start,
          inverse_spacing,
          onset,
          cutoff,
          3 + channels + 9 * moments,
          3 * channels + scalars + 9 * moments,
          channels + scalars + moments * (2 + 4 * channels)};
}

void stage_forward(const StageShape &shape, const StageEdges &edges, const float *x, const float *table, float *sums)
{ kernels().forward(shape, edges, x, table, sums); }

void stage_backward(const StageShape &shape, const StageEdges &edges, const float *x, const float *table,
                    const float *sums_gradient, float *x_gradient, float *table_gradient)
{ kernels().backward(shape, edges, x, table, sums_gradient, x_gradient, table_gradient); }

}    // namespace vitrify
