// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/metadata.h"

#include "base/error.h"
#include "modelfile/metadata_bounds.h"
#include "modelfile/metadata_format.h"
#include "modelfile/metadata_types.h"
#include "modelfile/strict_json.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace vitrify {

namespace {

constexpr int SCHEMA = 1;
constexpr int MAX_SCHEMA = 1 << 20;

const MetadataFormat *const FORMATS[] = {
#define VITRIFY_SYSTEM(name) &name##_metadata,
#include "base/systems.def"
#undef VITRIFY_SYSTEM
};

// One of `choices`, or an error that lists them.
std::string choice(const json &document, const char *key, const std::vector<const char *> &choices)
{
  const auto value = document.at(key).get<std::string>();
  std::string known;
  for (const char *one : choices) {
    if (value == one) return value;
    known += (known.empty() ? "" : " or ") + quoted(one);
  }
  throw Error(std::string(key) + " is " + quoted(value) + ", but this version of vitrify knows " + known);
}

void parse_masses(const json &document, Metadata &metadata)
{
  document.at("masses").get_to(metadata.masses);
  require(metadata.masses.size() == metadata.species.size(), "there must be one mass for each species");
  for (const double mass : metadata.masses) require(mass > 0.0, "masses must be positive");
}

ReferenceCase parse_reference(const json &document, const Metadata &metadata)
{
  const MetadataFormat &format = *metadata.format;
  ReferenceCase reference;
  document.at("cell").get_to(reference.cell);
  document.at("positions").get_to(reference.positions);
  if (format.has_velocities) document.at("velocities").get_to(reference.velocities);
  format.read_reference(document, metadata, reference);
  document.at("tolerance").get_to(reference.tolerance);
  if (has_value(document, "tolerances")) document.at("tolerances").get_to(reference.tolerances);
  for (const auto &name : document.at("species").get<std::vector<std::string>>()) {
    const int index = metadata.species_index(name);
    require(index >= 0, "the reference case has the unknown species " + quoted(name));
    reference.types.push_back(index);
  }
  const std::size_t n = reference.types.size();
  const std::size_t n_values = n * static_cast<std::size_t>(format.components);
  require(n > 0 && reference.positions.size() == n && reference.velocities.size() == (format.has_velocities ? n : 0) &&
              reference.first.size() == n_values &&
              reference.second.size() == (format.has_second_output ? n_values : 0),
          "the arrays of the reference case differ in length");
  require(reference.tolerance > 0.0, "the tolerance of the reference case is not positive");
  for (const double tolerance : reference.tolerances)
    require(tolerance > 0.0, "a tolerance of the reference case is not positive");
  return reference;
}

Validity parse_validity(const json &document, const Metadata &metadata)
{
  Validity validity;
  metadata.format->read_validity(document, metadata, validity);
  if (has_value(document, "min_distance")) {
    const std::size_t n_species = metadata.species.size();
    document.at("min_distance").get_to(validity.min_distance);
    require(validity.min_distance.size() == n_species * (n_species + 1) / 2,
            "min_distance must have one value for each pair of species");
  }
  return validity;
}

const MetadataFormat *read_format(const json &document)
{
  std::vector<const char *> names;
  for (const MetadataFormat *format : FORMATS) names.push_back(format->kind);
  return find_format(choice(document, "kind", names));
}

// Names are shown on terminals and in logs, by programs that do not escape them.
void check_names(const Metadata &metadata)
{
  std::vector<std::string> names = metadata.species;
  names.insert(names.end(), {metadata.variant, metadata.property, metadata.unit});
  for (const GlassProperty &property : metadata.generator.properties)
    names.insert(names.end(), {property.name, property.unit});
  for (const std::string &name : names)
    require(printable(name) == name, "the name " + quoted(name) + " has control characters: export the model again");
}

Metadata parse(const json &document)
{
  const int schema = whole_number(document.at("schema"), "schema", 0, MAX_SCHEMA);
  require(schema == SCHEMA, "schema is " + std::to_string(schema) + ", but this version of vitrify reads schema " +
                                std::to_string(SCHEMA) +
                                (schema > SCHEMA ? ": update vitrify" : ": export the model again"));
  check_types(document);
  Metadata metadata;
  metadata.format = read_format(document);
  metadata.kind = metadata.format->kind;
  document.at("variant").get_to(metadata.variant);
  metadata.units = choice(document, "units", {"lj", "metal"});
  metadata.dtype = choice(document, "dtype", {"float32", "float64"});
  document.at("species").get_to(metadata.species);
  document.at("cutoff").get_to(metadata.cutoff);
  metadata.layers = whole_number(document.at("layers"), "layers", 1, MAX_LAYERS);
  metadata.node_width = whole_number(document.at("node_width"), "node_width", 1, MAX_WIDTH);
  document.at("reverse_edges").get_to(metadata.reverse_edges);
  require(!metadata.species.empty(), "there must be at least one species");
  require(std::set<std::string>(metadata.species.begin(), metadata.species.end()).size() == metadata.species.size(),
          "species repeat");
  require(metadata.cutoff > 0.0, "cutoff must be positive");
  metadata.has_hyperparameters = has_value(document, "hyperparameters") && !document.at("hyperparameters").empty();
  if (metadata.format->has_masses) parse_masses(document, metadata);
  metadata.format->read(document, metadata);
  check_names(metadata);
  metadata.validity = parse_validity(document.at("validity"), metadata);
  metadata.reference = parse_reference(document.at("reference"), metadata);
  check_bounds(document, metadata);
  return metadata;
}

}    // namespace

const MetadataFormat *find_format(const std::string &kind)
{
  const auto *const found = std::find_if(std::begin(FORMATS), std::end(FORMATS),
                                         [&](const MetadataFormat *format) { return format->kind == kind; });
  return found == std::end(FORMATS) ? nullptr : *found;
}

double ReferenceCase::allowed(std::size_t output) const
{
  if (tolerances.empty()) return tolerance;
  require(output < tolerances.size(), "the reference case has " + std::to_string(tolerances.size()) +
                                          " tolerances, but more outputs: export the model again");
  return tolerances[output];
}

int Metadata::components() const
{ return format->components; }

bool Metadata::has_velocities() const
{ return format->has_velocities; }

int Metadata::species_index(const std::string &name) const
{
  const auto found = std::find(species.begin(), species.end(), name);
  return found == species.end() ? -1 : static_cast<int>(found - species.begin());
}

int GeneratorMetadata::property_index(const std::string &name) const
{
  for (std::size_t i = 0; i < properties.size(); ++i)
    if (properties[i].name == name) return static_cast<int>(i);
  return -1;
}

namespace {

// Calls `read` with the values in the text; whatever it throws becomes an Error that begins with `path`.
template <typename Read> auto read_text(const std::string &text, const std::string &path, Read &&read)
{
  try {
    return read(parse_json(text));
  } catch (const Error &error) {
    throw Error("model file " + path + ": bad metadata: " + error.what());
  } catch (const json::exception &error) {
    throw Error("model file " + path + ": vitrify.json is damaged or incomplete (" + error.what() +
                "): export the model again");
  }
}

}    // namespace

Metadata parse_metadata(const std::string &text, const std::string &path)
{ return read_text(text, path, parse); }

void check_json(const std::string &text, const std::string &path)
{
  try {
    parse_json(text);
  } catch (const std::exception &error) {
    throw Error("model file " + path + ": vitrify.json is not JSON as vitrify writes it (" + error.what() +
                "): export the model again");
  }
}

void check_metadata(const std::string &text, const std::string &path)
{
  read_text(text, path, [](const json &document) {
    const std::string kind = document.value("kind", "");
    if (kind.empty() || find_format(kind)) parse(document);
  });
}

}    // namespace vitrify
