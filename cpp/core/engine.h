// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/graph.h"

#include <string>

namespace vitrify {

/// Runs a model layer by layer; between layers the host fills the ghosts' node features from their owners.
///
///     engine.begin(graph);
///     for (l = 0; l < layers; ++l) { engine.layer(l); exchange with pack and unpack }
///     engine.finish(dr, dv);
///
/// Every method may throw std::exception. A graph without owned nodes is valid and costs nothing.
class Engine {
public:
  Engine() = default;
  Engine(const Engine &) = delete;
  Engine &operator=(const Engine &) = delete;
  virtual ~Engine() = default;

  /// Copies the graph and computes the first node and edge features.
  virtual void begin(const Graph &graph) = 0;
  /// Updates the features of the owned nodes; those of the ghosts are stale until `unpack` has filled them.
  virtual void layer(int index) = 0;
  /// Writes the features (node width each) of the `n` nodes in `list`, owned or ghost, to `buffer`.
  virtual void pack(int n, const int *list, double *buffer) const = 0;
  /// Reads the features of the nodes first ... first + n - 1 from `buffer`.
  virtual void unpack(int n, int first, const double *buffer) = 0;
  /// Displacements and velocity changes (n_owned, 3) of one stride.
  virtual void finish(double *dr, double *dv) = 0;
};

/// Where an engine runs: `device` is "cpu", "cuda" (the GPU local_rank modulo the node's count) or "cuda:n".
struct EngineOptions {
  std::string path;
  std::string device = "cpu";
  int local_rank = 0;
};

/// The one symbol that an engine library exports; returns nullptr and a message on failure, and never throws.
using MakeEngine = Engine *(*)(const EngineOptions &options, std::string &message);

}    // namespace vitrify
