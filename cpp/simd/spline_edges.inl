// SPDX-License-Identifier: BSD-3-Clause
// Spline weights of edges, local to each kernels.cpp.
#pragma once

#include "simd/spline_edges.h"

namespace vitrify {

namespace {

template <typename T> void place_edges(const SplineGrid<T> &grid, const T *distances, SplineEdges<T> *edges)
{
  const T size = static_cast<T>(grid.size);
  const int last = grid.size - 1;
  for (int e = 0; e < edges->n; ++e) {
    T t = (distances[e] - grid.start) * grid.inverse_spacing;
    t = t < T(0) ? T(0) : t;
    t = t > size ? size : t;
    // NaN takes the first interval and stays NaN, so that training sees a loss that is not finite.
    const int place = t > T(0) ? static_cast<int>(t) : 0;
    const int first = place < last ? place : last;
    const T u = t - static_cast<T>(first), s = T(1) - u;
    edges->rows[e] = first;
    edges->weights[0][e] = s * s * s;
    edges->weights[1][e] = T(4) + u * u * (T(3) * u - T(6));
    edges->weights[2][e] = T(4) + s * s * (T(3) * s - T(6));
    edges->weights[3][e] = u * u * u;
  }
}

}    // namespace

}    // namespace vitrify
