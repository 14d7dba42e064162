// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vitrify {

/// Typed nodes (owned first, then ghosts) and directed edges, in the model's units and in double precision.
struct Graph {
  std::int64_t n_owned = 0;
  std::vector<std::int64_t> types;         // (M) index into the model's species
  std::vector<double> velocities;          // (M, 3)
  std::vector<std::int64_t> centres;       // (E) node i of each edge
  std::vector<std::int64_t> neighbours;    // (E) node j of each edge
  std::vector<double> vectors;             // (E, 3) r_j - r_i, with the periodic image included

  std::int64_t n_nodes() const { return static_cast<std::int64_t>(types.size()); }
  std::int64_t n_edges() const { return static_cast<std::int64_t>(centres.size()); }
  std::size_t bytes() const;

  void clear_edges();
  void add_edge(std::int64_t centre, std::int64_t neighbour, const double (&vector)[3])
  {
    centres.push_back(centre);
    neighbours.push_back(neighbour);
    vectors.insert(vectors.end(), vector, vector + 3);
  }
};

using Vector3 = std::array<double, 3>;

/// Adds to `graph` an edge for every pair and periodic image (self-images too) closer than `cutoff`, without ghosts.
/// Brute force over images, for small reference structures; `cell` holds the three cell vectors as rows.
void add_periodic_edges(Graph &graph, const std::array<Vector3, 3> &cell, const std::vector<Vector3> &positions,
                        double cutoff);

}    // namespace vitrify
