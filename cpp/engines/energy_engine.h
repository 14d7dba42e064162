// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/engine.h"
#include "engines/repulsive_core.h"
#include "modelfile/metadata.h"
#include "neighbours/configuration.h"
#include "neighbours/periodic.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace vitrify {

/// Where a latent model adds its answers: arrays of the host. Null arrays but for `forces` are not wanted.
struct EnergyResult {
  double *energies = nullptr;    // (n_owned)
  double *forces = nullptr;      // (n_nodes, 3); forces on ghosts belong to their owners
  double *virial = nullptr;      // (6) xx, yy, zz, xy, xz, yz: sum of r_ij f_ij over the pairs of owned centres
  double *virials = nullptr;     // (n_nodes, 6) the same, half to either node of a pair
};

/// A latent model of kind glassvae: energies of atoms that depend on features that are pooled (added up) over all atoms
/// of all ranks.
///
///     engine.begin(configuration);
///     sums = engine.pooled_features();      the host adds up those of all ranks
///     engine.set_pooled(sums);              z = engine.latent()
///     sums = engine.pooled_gradient();      the host adds up those of all ranks
///     engine.finish(sums, result);
///
/// Every method may throw std::exception. A configuration without owned atoms is valid. A host that wants nothing but z
/// stops after `set_pooled`. See python/vitrify/glassvae/models/base.py.
class EnergyEngine : public AnyEngine {
public:
  explicit EnergyEngine(const Metadata &metadata) : core_(metadata.validity.min_distance, metadata.cutoff) {}

  /// Whether the next predictions compute in double precision, whatever the precision of the model. Minimisers compare
  /// energies, whose differences near a minimum are far below the rounding of a model in single precision.
  virtual void use_double(bool yes) = 0;
  /// The sums over the owned atoms of the features that the model pools, and last the number of owned atoms.
  virtual const std::vector<double> &pooled_features() = 0;
  /// Takes the pooled features of all atoms.
  virtual void set_pooled(const double *pooled_features) = 0;
  /// z of the last `set_pooled`.
  virtual const std::vector<double> &latent() const = 0;
  /// Derivatives of the energies of the owned atoms by the pooled features, as many as there are; the last one, by the
  /// number of atoms, is 0.
  virtual const std::vector<double> &pooled_gradient() = 0;
  /// Takes the sum of `pooled_gradient` over all ranks, and adds energies, forces and virial.
  virtual void finish(const double *pooled_gradient, const EnergyResult &result) = 0;

protected:
  RepulsiveCore core_;
};

/// Outputs of a latent model for a periodic structure.
struct EnergyPrediction {
  std::vector<double> energies;      // (n)
  std::vector<double> forces;        // (n, 3)
  std::array<double, 6> virial{};    // as in EnergyResult
  std::vector<double> latent;
};

/// One prediction of the structure in `system`, in its order of atoms.
EnergyPrediction predict(EnergyEngine &engine, const PeriodicSystem &system);

/// What the core adds to such a prediction by an engine of another language; no latent vector.
EnergyPrediction predict(RepulsiveCore &core, const PeriodicSystem &system);

/// The one symbol for such models that the torch library exports; nullptr and a message on failure, and never throws.
using MakeEnergyEngine = EnergyEngine *(*)(const EngineOptions &options, std::string &message);

}    // namespace vitrify
