// SPDX-License-Identifier: BSD-3-Clause
#include "amshortcut/moment_gradient.h"

#include <algorithm>
#include <vector>

namespace vitrify {

namespace {

// Of the instruction set that the first call chooses.
template <typename T> const MomentKernels<T> &kernels()
{
  static const MomentKernels<T> chosen = chosen_kernels<MomentKernels<T>>();
  return chosen;
}

// The weight with the zeros that bring the splines to zero, divided by 6.
template <typename T> std::vector<T> table_of(const MomentInputs<T> &inputs)
{
  const auto n = static_cast<std::size_t>(inputs.grid.size) * inputs.filters();
  std::vector<T> table(n + 3 * static_cast<std::size_t>(inputs.filters()));
  for (std::size_t k = 0; k < n; ++k) table[k] = inputs.weight[k] / T(6);
  return table;
}

// Calls work(centre, edges) for the edges of each centre, at most BLOCK at a time.
template <typename T, typename Work>
void for_edges(const MomentGraph<T> &graph, const SplineGrid<T> &grid, const Work &work)
{
  SplineEdges<T> edges;
  for (std::int64_t first = 0, last = 0; first < graph.n; first = last) {
    const std::int64_t centre = graph.centres[first], most = std::min<std::int64_t>(graph.n, first + BLOCK);
    while (last < most && graph.centres[last] == centre) ++last;
    edges.n = static_cast<int>(last - first);
    kernels<T>().place(grid, graph.distances + first, &edges);
    const T *harmonics = graph.harmonics + HARMONICS * first;
    for (int e = 0; e < edges.n; ++e) {
      edges.nodes[e] = graph.neighbours[first + e];
      for (int k = 0; k < HARMONICS; ++k) edges.harmonics[k][e] = *harmonics++;
    }
    work(centre, edges);
  }
}

}    // namespace

template <typename T>
void sum_moments(const MomentGraph<T> &graph, const MomentInputs<T> &inputs, T *moments, T *carried)
{
  const std::vector<T> table = table_of(inputs);
  const std::int64_t width = inputs.width;
  for_edges(graph, inputs.grid, [&](std::int64_t centre, const SplineEdges<T> &edges) {
    T *more = inputs.v ? carried + centre * CARRIED * width : nullptr;
    kernels<T>().sum({inputs.width, table.data(), inputs.s, inputs.v, moments + centre * HARMONICS * width, more},
                     edges);
  });
}

template <typename T>
void moments_backward(const MomentGraph<T> &graph, const MomentInputs<T> &inputs, const T *by_moments,
                      const T *by_carried, T *by_s, T *by_v, T *by_weight)
{
  const std::vector<T> table = table_of(inputs);
  std::vector<T> by_table(table.size());
  const std::int64_t width = inputs.width;
  for_edges(graph, inputs.grid, [&](std::int64_t centre, const SplineEdges<T> &edges) {
    const T *more = inputs.v ? by_carried + centre * CARRIED * width : nullptr;
    kernels<T>().backward({inputs.width, table.data(), inputs.s, inputs.v, by_moments + centre * HARMONICS * width,
                           more, by_table.data(), by_s, by_v},
                          edges);
  });
  const auto n = static_cast<std::size_t>(inputs.grid.size) * inputs.filters();
  for (std::size_t k = 0; k < n; ++k) by_weight[k] += by_table[k] / T(6);
}

template void sum_moments(const MomentGraph<float> &, const MomentInputs<float> &, float *, float *);
template void sum_moments(const MomentGraph<double> &, const MomentInputs<double> &, double *, double *);
template void moments_backward(const MomentGraph<float> &, const MomentInputs<float> &, const float *, const float *,
                               float *, float *, float *);
template void moments_backward(const MomentGraph<double> &, const MomentInputs<double> &, const double *,
                               const double *, double *, double *, double *);

}    // namespace vitrify
