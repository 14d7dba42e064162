// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "engines/engine.h"
#include "modelfile/metadata.h"
#include "neighbours/configuration.h"
#include "neighbours/periodic.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace vitrify {

/// What a latent model says of the owned atoms and does to all nodes; arrays of the host, to which the engine adds.
struct TorchEnergies {
  double *energies = nullptr;    // (n_owned)
  double *forces = nullptr;      // (n_nodes, 3), those on ghosts belong to their owners
  double *virial =
      nullptr;    // (6) xx, yy, zz, xy, xz, yz: sum of r_ij f_ij over the pairs of owned centres; null: not wanted
  double *virials = nullptr;    // (n_nodes, 6) the same, half to either node of a pair; null: not wanted
};

/// A latent model of kind glassvae: energies of atoms that depend on pooled_features over all atoms of all ranks.
///
///     engine.begin(configuration);
///     pooled_features = engine.pooled_features();              the host adds up those of all ranks
///     engine.head(pooled_features);                   z = engine.latent()
///     pooled_gradient = engine.pooled_gradient();                the host adds up those of all ranks
///     engine.finish(pooled_gradient, result);
///
/// Every method may throw std::exception. A configuration without owned atoms is valid. Of a configuration whose
/// pooled_features alone are wanted, for its z, the host stops after `head`. See python/vitrify/models/glassvae.py.
class EnergyEngine {
public:
  EnergyEngine() = default;
  EnergyEngine(const EnergyEngine &) = delete;
  EnergyEngine &operator=(const EnergyEngine &) = delete;
  virtual ~EnergyEngine() = default;

  /// Reads the configuration, whose arrays must stay as they are until `finish`, and finds the pairs within the cutoff.
  virtual void begin(const Configuration &configuration) = 0;
  /// What the owned atoms add to the pooled_features of the model, and last their number.
  virtual const std::vector<double> &pooled_features() = 0;
  /// Takes the pooled_features over all atoms.
  virtual void head(const double *pooled_features) = 0;
  /// z of the last `head`.
  virtual const std::vector<double> &latent() const = 0;
  /// Derivatives by the pooled_features of the energies of the owned atoms, as many as there are pooled_features; the
  /// last one is 0.
  virtual const std::vector<double> &pooled_gradient() = 0;
  /// Takes the sum of the pooled_gradient over all ranks, and adds energies, forces and virial.
  virtual void finish(const double *pooled_gradient, const TorchEnergies &result) = 0;
  /// True if `begin` reads the neighbour lists of the configuration; otherwise the engine finds its pairs without them.
  virtual bool needs_lists() const { return false; }
  /// Bytes that the engine holds.
  virtual std::size_t bytes() const = 0;
  /// The smallest distance of each `pair_of_species` of the last configuration, infinity where no pair was found.
  const std::vector<double> &closest() const { return closest_; }

protected:
  std::vector<double> closest_;
};

/// What a latent model says of a periodic structure.
struct EnergyPrediction {
  std::vector<double> energies;      // (n)
  std::vector<double> forces;        // (n, 3)
  std::array<double, 6> virial{};    // as in TorchEnergies
  std::vector<double> latent;
};

/// One prediction of the structure in `system`, in its order of atoms.
EnergyPrediction predict(EnergyEngine &engine, const PeriodicSystem &system);

/// Runs the reference case and returns the largest error of energy, forces, stress and z, relative to the rms of each.
double reference_error(EnergyEngine &engine, const Metadata &metadata);

/// The one symbol for such models that the torch library exports; nullptr and a message on failure, and never throws.
using MakeEnergyEngine = EnergyEngine *(*)(const EngineOptions &options, std::string &message);

}    // namespace vitrify
