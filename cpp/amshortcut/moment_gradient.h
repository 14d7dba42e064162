// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "amshortcut/moment_kernels.h"

#include <cstddef>
#include <cstdint>

namespace vitrify {

/// Directed edges from `centres` to `neighbours`, sorted by centre; sums over edges in another order are right, but
/// slow.
template <typename T> struct MomentGraph {
  std::int64_t n;
  const std::int64_t *centres, *neighbours;
  const T *distances;    // (n)
  const T *harmonics;    // (n, 9)
};

/// The features of one layer and its splines; weight: (size, width), or (size, 2 width) where there are vectors.
template <typename T> struct MomentInputs {
  SplineGrid<T> grid;
  int width;
  const T *s, *v;    // (nodes, width), (nodes, 3, width); v may be null
  const T *weight;

  int filters() const { return v ? 2 * width : width; }
};

/// The sums over neighbours of MomentLayer.forward (python/vitrify/amshortcut/models/flow.py): adds to moments (nodes,
/// 9, width) and carried (nodes, 4, width), the latter where there are vectors.
template <typename T>
void sum_moments(const MomentGraph<T> &graph, const MomentInputs<T> &inputs, T *moments, T *carried);

/// Adds the gradients of a loss by s, v and the weight, given its gradients by the moments and the carried vectors.
template <typename T>
void moments_backward(const MomentGraph<T> &graph, const MomentInputs<T> &inputs, const T *by_moments,
                      const T *by_carried, T *by_s, T *by_v, T *by_weight);

}    // namespace vitrify
