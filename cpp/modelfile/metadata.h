// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/geometry.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace vitrify {

struct MetadataFormat;

/// A small periodic structure and the outputs of the model for it.
struct ReferenceCase {
  std::array<Vector3, 3> cell{};
  std::vector<Vector3> positions, velocities;    // velocities for kind ogn alone
  std::vector<int> types;
  // (n, components) each: what Engine::finish must write; FlowNetwork::velocity: the first; EnergyEngine::finish:
  // forces
  std::vector<double> first, second;
  // of the largest deviation, relative to the rms of the output: of all outputs, and of each in the order in which they
  // are replayed, which older files lack
  double tolerance = 0.0;
  std::vector<double> tolerances;
  // kind ogn: the virial of the whole case, of models that tell the stress of a stride; else empty
  std::vector<double> virial;
  // kinds amshortcut and glassvae: the other inputs of FlowNetwork::velocity
  double time = 0.0, step = 0.0;
  std::vector<double> properties, known;
  // kind glassvae: the energy of the cell, its derivative by the strain over the volume, and z
  double energy = 0.0;
  std::array<Vector3, 3> stress{};
  std::vector<double> latent;
  // (n, 3) the output of FlowNetwork::velocity, given z; empty for models that make no structures
  std::vector<double> decoded;

  /// The deviation that an output may have, from 0; throws Error if the file does not say.
  double allowed(std::size_t output) const;
};

/// A property of a whole glass that a generator can be asked for, with its range in the training data.
struct GlassProperty {
  std::string name, unit;
  std::array<double, 2> range{};
};

/// Mean and covariance over the training data: "number_density", "fraction:X" of each species, and properties or z.
struct Statistics {
  std::vector<std::string> names;
  std::vector<double> mean;
  std::vector<double> covariance;    // a row for each name, one after the other
};

/// Of models that make structures, kinds amshortcut and glassvae. The properties of kind glassvae are z0, z1, ...
struct GeneratorMetadata {
  std::string process;    // empty for a latent model that makes no structures
  std::vector<GlassProperty> properties;
  Statistics statistics;
  std::vector<double> charges;    // of each species; empty if composition is free
  std::string latent_energy;      // kind glassvae: the energy for each atom that goes with z in its density

  /// Index of a property, or -1.
  int property_index(const std::string &name) const;
};

/// Of integrators, kind ogn.
struct IntegratorMetadata {
  int stride = 0;           // MD steps that one prediction replaces
  double timestep = 0.0;    // of one prediction: stride times the timestep of MD, in the model's units of time
  // root mean square errors of a component after training, on trajectories kept apart; 0 in files that do not tell
  double position_error = 0.0, velocity_error = 0.0;
};

/// Of models of a property of atoms, kind symgnn.
struct PropertyMetadata {
  std::string property, unit;
};

/// Of latent models, kind glassvae.
struct LatentMetadata {
  int latent = 0;    // length of z
};

/// The range of the training data of an integrator, kind ogn.
struct IntegratorValidity {
  double temperature[2] = {0.0, 0.0};    // lowest and highest
  double max_displacement = 0.0;         // largest |dr| of an atom over one stride; 0 in older files
};

/// The range of the training data of the structures of all kinds.
struct StructureValidity {
  double number_density[2] = {0.0, 0.0};             // lowest and highest
  std::vector<std::array<double, 2>> composition;    // of each species, its lowest and highest fraction
  double max_deviation = 0.0;    // kind symgnn: 99% of the training atoms stay below it; 0 if there is none
};

/// The range of the training data, as far as hosts check it.
struct Validity : IntegratorValidity, StructureValidity {
  std::vector<double> min_distance;    // of each `pair_of_species`; empty in older files
};

/// The contents of vitrify.json, checked. Kind ogn: an integrator; kind symgnn: a property of atoms at rest;
/// kind amshortcut: a generator of structures; kind glassvae: energies and a latent vector of a structure.
struct Metadata : IntegratorMetadata, PropertyMetadata, LatentMetadata {
  const MetadataFormat *format = nullptr;    // how this kind of model is read
  std::string kind, variant, units, dtype;
  std::vector<std::string> species;
  double cutoff = 0.0;
  int layers = 0;
  int node_width = 0;
  bool reverse_edges = false;
  bool has_hyperparameters = false;    // the sizes that the native engine needs beside the weights
  std::vector<double> masses;          // of each species; empty for kind symgnn
  GeneratorMetadata generator;
  Validity validity;
  ReferenceCase reference;

  /// Number of values for each atom in each of the arrays of the reference case.
  int components() const;
  /// True for models that read the velocities of the atoms.
  bool has_velocities() const;
  /// False for kinds that predict, and for latent models without a density of z.
  bool makes_structures() const { return !generator.process.empty(); }
  /// Index of a species, or -1.
  int species_index(const std::string &name) const;
};

/// Parses and checks vitrify.json; throws Error that begins with `path`.
Metadata parse_metadata(const std::string &text, const std::string &path);

/// Throws Error unless the text is JSON that all readers take in the same way: see `parse_json`.
void check_json(const std::string &text, const std::string &path);

/// Throws Error as `parse_metadata` does; of kinds that have no format here, only the JSON is checked.
void check_metadata(const std::string &text, const std::string &path);

}    // namespace vitrify
