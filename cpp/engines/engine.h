// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/error.h"
#include "base/species_pair.h"
#include "neighbours/configuration.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace vitrify {

class ModelFile;

/// The common part of all engines. `begin` may throw std::exception.
class AnyEngine {
public:
  AnyEngine() = default;
  AnyEngine(const AnyEngine &) = delete;
  AnyEngine &operator=(const AnyEngine &) = delete;
  virtual ~AnyEngine() = default;

  /// Reads the configuration, whose arrays must stay as they are until `finish`, and finds the pairs within the cutoff.
  virtual void begin(const Configuration &configuration) = 0;
  /// True if `begin` reads the neighbour lists of the configuration; otherwise the engine finds its pairs without them.
  virtual bool needs_lists() const { return false; }
  /// Bytes that the engine holds.
  virtual std::size_t bytes() const = 0;
  /// The smallest distance of each `pair_of_species` of the last configuration, infinity where no pair was within the
  /// cutoff. Known after `begin`; for kind symgnn, after the last layer.
  const std::vector<double> &closest() const { return closest_; }

protected:
  std::vector<double> closest_;
};

/// Runs a model layer by layer; between layers the host fills the ghosts' node features from their owners.
///
///     engine.begin(configuration);
///     for (l = 0; l < layers; ++l) { engine.layer(l); exchange with pack and unpack }
///     engine.finish(first, second);
///
/// Every method may throw std::exception. A configuration without owned atoms is valid and costs nothing.
class Engine : public AnyEngine {
public:
  /// False if the engine does without the ghosts of this configuration, which has all atoms: then there is nothing to
  /// exchange between layers. Known after `begin`.
  virtual bool needs_exchange() const { return true; }
  /// Updates the features of the owned nodes; ghosts have old ones until `unpack` has filled them.
  virtual void layer(int index) = 0;
  /// Number of values of one node in `pack` and `unpack`.
  virtual int width() const = 0;
  /// Writes the features of the `n` nodes in `list`, owned or ghost, to `buffer`.
  virtual void pack(int n, const int *list, double *buffer) const = 0;
  /// Reads the features of the nodes first ... first + n - 1 from `buffer`.
  virtual void unpack(int n, int first, const double *buffer) = 0;
  /// True if the model tells the virial of its stride, of kind ogn.
  virtual bool has_virial() const { return false; }
  /// Whether strides compute their virial from the next `begin` on, which takes time. Throws Error if there is none.
  virtual void ask_virial(bool asked)
  {
    if (asked) throw Error("this model does not tell the stress of a stride");
  }
  /// The virial of the last stride, the owned atoms' part: sum of r f in the unit of energy, averaged over the stride,
  /// xx, yy, zz, xy, xz, yz, positive under compression. Known after the last layer if it was asked for.
  virtual std::array<double, 6> virial() const { return {}; }
  /// With VITRIFY_PROFILE=1, one line on where the time of the strides since the last call went, for engines that can
  /// tell; otherwise nothing.
  virtual std::string profile() { return ""; }
  /// Writes the outputs of each owned atom. Kind ogn: displacement and velocity change of one stride, (n_owned, 3)
  /// each; kind symgnn: property and its standard deviation, (n_owned) each. See Metadata::components.
  virtual void finish(double *first, double *second) = 0;
};

/// What an engine runs, and where: `device` is "cpu", "cuda" (the GPU local_rank modulo the node's count) or "cuda:n".
/// `trust`: run the program of the file even if the file is unknown. The file is read only while the engine is made.
struct EngineOptions {
  const ModelFile *file = nullptr;
  bool trust = false;
  std::string device = "cpu";
  int local_rank = 0;
};

/// The one symbol that an engine library exports; returns nullptr and a message on failure, and never throws.
using MakeEngine = Engine *(*)(const EngineOptions &options, std::string &message);

}    // namespace vitrify
