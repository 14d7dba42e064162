// SPDX-License-Identifier: BSD-3-Clause
#include "core/graph.h"

#include "core/error.h"

#include <cmath>

namespace vitrify {

std::size_t Graph::bytes() const
{
  return sizeof(std::int64_t) * (types.capacity() + centres.capacity() + neighbours.capacity()) +
         sizeof(double) * (velocities.capacity() + vectors.capacity());
}

void Graph::clear_edges()
{
  centres.clear();
  neighbours.clear();
  vectors.clear();
}

namespace {

Vector3 cross(const Vector3 &a, const Vector3 &b)
{ return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]}; }

double dot(const Vector3 &a, const Vector3 &b)
{ return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

}    // namespace

void add_periodic_edges(Graph &graph, const std::array<Vector3, 3> &cell, const std::vector<Vector3> &positions,
                        double cutoff)
{
  const double volume = std::fabs(dot(cell[0], cross(cell[1], cell[2])));
  if (!(volume > 0.0)) throw Error("the cell of the reference case has no volume");

  // The fractional coordinate along cell vector d changes by at most |reciprocal vector d| times the distance.
  std::array<Vector3, 3> reciprocal;
  std::array<double, 3> reach;
  for (int d = 0; d < 3; ++d) {
    reciprocal[d] = cross(cell[(d + 1) % 3], cell[(d + 2) % 3]);
    for (double &component : reciprocal[d]) component /= volume;
    reach[d] = cutoff * std::sqrt(dot(reciprocal[d], reciprocal[d]));
  }

  const auto n = static_cast<std::int64_t>(positions.size());
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      Vector3 delta;
      for (int k = 0; k < 3; ++k) delta[k] = positions[j][k] - positions[i][k];
      std::array<int, 3> low, high;
      for (int d = 0; d < 3; ++d) {
        const double fraction = dot(delta, reciprocal[d]);
        low[d] = static_cast<int>(std::ceil(-fraction - reach[d]));
        high[d] = static_cast<int>(std::floor(-fraction + reach[d]));
      }
      for (int a = low[0]; a <= high[0]; ++a)
        for (int b = low[1]; b <= high[1]; ++b)
          for (int c = low[2]; c <= high[2]; ++c) {
            if (i == j && a == 0 && b == 0 && c == 0) continue;
            double vector[3];
            double square = 0.0;
            for (int k = 0; k < 3; ++k) {
              vector[k] = delta[k] + a * cell[0][k] + b * cell[1][k] + c * cell[2][k];
              square += vector[k] * vector[k];
            }
            if (square < cutoff * cutoff) graph.add_edge(i, j, vector);
          }
    }
  }
}

}    // namespace vitrify
