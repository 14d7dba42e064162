// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/flow_network.h"
#include "engines/reference_error.h"
#include "generation/composition.h"
#include "glassvae/latent_density.h"
#include "modelfile/model_file.h"
#include "neighbours/overlaps.h"
#include "rules/validity.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vitrify {

/// Bytes of memory that this process may still take; infinity where the system does not tell.
double free_memory();

/// A request to a generator.
struct GlassRequest {
  std::array<Vector3, 3> cell{};
  std::vector<std::int64_t> counts;         // atoms of each species
  std::vector<double> properties, known;    // one for each property of the model or number of z; known: 1 if asked for
  int steps = 5;
  std::uint32_t seed = 1;
  double churn = 0.0;    // share of the noise that is put back before each step but the first
};

/// The structure that was made, wrapped into the cell.
struct Glass {
  Structure structure;
  std::vector<double> closest;    // of each pair_of_species, infinity where none is near
  std::size_t pushed = 0;         // pairs that were too close, and were moved apart
};

/// A generator of glasses: the flow of a model file of kind amshortcut or glassvae, from a lattice with noise to a
/// structure. The properties of a request to a latent model are the numbers of z, all of them known.
///
/// The structure depends on nothing but the request, and not on the number of threads.
class Generator {
public:
  /// Throws Error for a model of another kind, or of a process that only Python runs.
  explicit Generator(const ModelFile &file);
  Generator(const Generator &) = delete;
  Generator &operator=(const Generator &) = delete;

  const Metadata &metadata() const { return metadata_; }
  const Composition &composition() const { return composition_; }
  /// The density of z; nullptr for kind amshortcut.
  const LatentDensity *latents() const { return latents_ ? &*latents_ : nullptr; }

  /// Throws Error for a request that makes no sense, that memory cannot hold, or whose result fails the gates: finite
  /// positions, and no pair that is closer than in the training data.
  Glass generate(const GlassRequest &request);
  /// One sentence for each part of a request that lies outside the range of the training data.
  std::vector<std::string> warnings(const GlassRequest &request) const;
  /// Runs the reference case; the largest deviation relative to the rms of the output. Throws Error if there is none.
  Deviation reference_deviation();

private:
  void check(const GlassRequest &request) const;
  void check_memory(const GlassRequest &request, std::size_t n) const;
  Structure start(const GlassRequest &request) const;
  void step(Structure &structure, const GlassRequest &request, int index);
  void check_gates(Glass &glass) const;

  Metadata metadata_;
  Composition composition_;
  std::unique_ptr<FlowNetwork> network_;
  FlowSizes sizes_;
  std::optional<LatentDensity> latents_;
  std::vector<double> velocity_;
};

}    // namespace vitrify
