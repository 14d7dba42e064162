// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/json.h"
#include "modelfile/metadata.h"

#include <vector>

namespace vitrify {

// Larger sizes are damage, and would make a host run for ever or take all memory.
constexpr int MAX_LAYERS = 100;
constexpr int MAX_WIDTH = 100000;    // features of a node
constexpr int MAX_LATENT = 4096;
constexpr int MAX_STRIDE = 100000;    // MD steps, which the fallback of fix ogn takes one by one

/// How vitrify.json of one kind of model is read, and which arrays its reference case holds. Functions throw Error,
/// without the name of the file, or json::exception.
struct MetadataFormat {
  const char *kind;
  bool has_masses;
  bool has_velocities;       // the reference case has a velocity of each atom
  bool has_second_output;    // ReferenceCase::second is there
  int components;            // values of each atom in ReferenceCase::first, and in second
  /// Reads the keys that only this kind has.
  void (*read)(const json &document, Metadata &metadata);
  /// Reads the range of the training data, but for the smallest distances, which all kinds have.
  void (*read_validity)(const json &document, const Metadata &metadata, Validity &validity);
  /// Reads the inputs and outputs of the reference case, but for the structure, which all kinds have.
  void (*read_reference)(const json &document, const Metadata &metadata, ReferenceCase &reference);
};

// One for each system, which its kind.cpp defines.
#define VITRIFY_SYSTEM(name) extern const MetadataFormat name##_metadata;
#include "base/systems.def"
#undef VITRIFY_SYSTEM

/// The format of a kind, null if there is none.
const MetadataFormat *find_format(const std::string &kind);

/// Throws Error unless the condition is met.
void require(bool condition, const std::string &message);

/// The text in quotes.
std::string quoted(const std::string &text);

/// Rows of three numbers, one after the other.
std::vector<double> flattened(const json &rows);

/// True if the key is there and has a value: older files lack some keys, and Python writes what is missing as null.
bool has_value(const json &document, const char *key);

/// Statistics of the training data; throws Error if their sizes do not fit together.
Statistics read_statistics(const json &document);

/// A number from 0 to 1, under `key`; throws Error for any other.
double read_share(const json &document, const char *key);

/// Throws Error unless the statistics are of number density, of the fraction of each species, and of the properties.
void require_names(const Metadata &metadata);

/// Number density and composition, which all kinds have.
void read_validity_of_structures(const json &document, const Metadata &metadata, Validity &validity);

/// The same, and the deviation, of models of structures at rest.
void read_validity_at_rest(const json &document, const Metadata &metadata, Validity &validity);

}    // namespace vitrify
