// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/engine.h"
#include "core/graph.h"

#include <string>
#include <vector>

namespace vitrify {

/// A small periodic structure and what the model answers for it.
struct ReferenceCase {
  std::array<Vector3, 3> cell{};
  std::vector<Vector3> positions, velocities, dr, dv;
  std::vector<std::int64_t> types;
  double tolerance = 0.0;    // relative to the rms of the output
};

/// What vitrify.json says about an OGN model, checked.
struct Metadata {
  std::string kind, variant, units, dtype;
  std::vector<std::string> species;
  std::vector<double> masses;
  double cutoff = 0.0;
  int layers = 0;
  int node_width = 0;
  bool reverse_edges = false;
  int stride = 0;
  double timestep = 0.0;
  ReferenceCase reference;

  /// Index of a species, or -1.
  int species_index(const std::string &name) const;
};

/// Parses and checks vitrify.json; throws Error that begins with `path`.
Metadata parse_metadata(const std::string &text, const std::string &path);

/// Runs the reference case and returns the error relative to the rms of the output (the larger of dr's and dv's).
double reference_error(Engine &engine, const Metadata &metadata);

}    // namespace vitrify
