// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/metadata.h"

#include "base/error.h"
#include "base/json.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrify {

namespace {

constexpr int SCHEMA = 1;

std::string quoted(const std::string &text)
{ return "\"" + text + "\""; }

// One of `choices`, or an error that lists them.
std::string choice(const json &document, const char *key, std::initializer_list<const char *> choices)
{
  const auto value = document.at(key).get<std::string>();
  std::string known;
  for (const char *one : choices) {
    if (value == one) return value;
    known += (known.empty() ? "" : " or ") + quoted(one);
  }
  throw Error(std::string(key) + " is " + quoted(value) + ", but this version of vitrify knows " + known);
}

void require(bool condition, const std::string &what)
{
  if (!condition) throw Error(what);
}

std::vector<double> flattened(const json &rows)
{
  std::vector<double> values;
  for (const auto &row : rows.get<std::vector<Vector3>>()) values.insert(values.end(), row.begin(), row.end());
  return values;
}

// What a generator is told beside the structure; a property that is not asked for is null.
void parse_conditions(const json &document, const Metadata &metadata, ReferenceCase &reference)
{
  document.at("time").get_to(reference.time);
  document.at("step").get_to(reference.step);
  for (const json &value : document.at("properties")) {
    reference.known.push_back(value.is_null() ? 0.0 : 1.0);
    reference.properties.push_back(value.is_null() ? 0.0 : value.get<double>());
  }
  require(reference.known.size() == metadata.generator.properties.size(),
          "the reference case must have one value for each property");
}

// Of a latent model: what its decoder answers, told the z of the structure.
void parse_decoded(const json &document, const Metadata &metadata, ReferenceCase &reference)
{
  if (!metadata.makes_structures() || !document.contains("decoded") || document.at("decoded").is_null()) return;
  const json &decoded = document.at("decoded");
  decoded.at("time").get_to(reference.time);
  decoded.at("step").get_to(reference.step);
  reference.decoded = flattened(decoded.at("vectors"));
  reference.properties = reference.latent;
  reference.known.assign(reference.latent.size(), 1.0);
  require(reference.decoded.size() == 3 * reference.positions.size(),
          "the arrays of the reference case differ in length");
}

// What a latent model says of the whole structure, and its forces.
void parse_glassvae(const json &document, const Metadata &metadata, ReferenceCase &reference)
{
  reference.first = flattened(document.at("forces"));
  document.at("energy").get_to(reference.energy);
  document.at("stress").get_to(reference.stress);
  document.at("latent").get_to(reference.latent);
  require(reference.latent.size() == static_cast<std::size_t>(metadata.latent),
          "the reference case must have one value for each latent number");
  parse_decoded(document, metadata, reference);
}

ReferenceCase parse_reference(const json &document, const Metadata &metadata)
{
  ReferenceCase reference;
  document.at("cell").get_to(reference.cell);
  document.at("positions").get_to(reference.positions);
  if (metadata.kind == "ogn") {
    document.at("velocities").get_to(reference.velocities);
    reference.first = flattened(document.at("dr"));
    reference.second = flattened(document.at("dv"));
  } else if (metadata.kind == "amshortcut") {
    parse_conditions(document, metadata, reference);
    reference.first = flattened(document.at("vectors"));
  } else if (metadata.kind == "glassvae") {
    parse_glassvae(document, metadata, reference);
  } else {
    document.at("values").get_to(reference.first);
    document.at("deviations").get_to(reference.second);
  }
  document.at("tolerance").get_to(reference.tolerance);
  for (const auto &name : document.at("species").get<std::vector<std::string>>()) {
    const int index = metadata.species_index(name);
    require(index >= 0, "the reference case has the unknown species " + quoted(name));
    reference.types.push_back(index);
  }
  const std::size_t n = reference.types.size();
  const std::size_t n_values = n * static_cast<std::size_t>(metadata.components());
  const bool has_second = metadata.kind == "ogn" || metadata.kind == "symgnn";
  require(n > 0 && reference.positions.size() == n && reference.velocities.size() == (metadata.kind == "ogn" ? n : 0) &&
              reference.first.size() == n_values && reference.second.size() == (has_second ? n_values : 0),
          "the arrays of the reference case differ in length");
  require(reference.tolerance > 0.0, "the tolerance of the reference case is not positive");
  return reference;
}

void parse_validity_of_ogn(const json &document, Validity &validity)
{
  document.at("temperature").get_to(validity.temperature);
  require(validity.temperature[1] > 0.0, "the temperatures of the validity range are not positive");
  if (document.contains("max_displacement") && !document.at("max_displacement").is_null()) {
    document.at("max_displacement").get_to(validity.max_displacement);
    require(validity.max_displacement > 0.0, "max_displacement must be positive");
  }
}

void parse_validity_at_rest(const json &document, const Metadata &metadata, Validity &validity)
{
  document.at("number_density").get_to(validity.number_density);
  require(validity.number_density[1] > 0.0, "the number densities of the validity range are not positive");
  const json &composition = document.at("composition");
  for (const auto &name : metadata.species)
    validity.composition.push_back(composition.value(name, std::array<double, 2>{0.0, 1.0}));
  if (document.contains("max_deviation") && !document.at("max_deviation").is_null()) {
    document.at("max_deviation").get_to(validity.max_deviation);
    require(validity.max_deviation > 0.0, "max_deviation must be positive");
  }
}

Validity parse_validity(const json &document, const Metadata &metadata)
{
  Validity validity;
  if (metadata.kind == "ogn")
    parse_validity_of_ogn(document, validity);
  else
    parse_validity_at_rest(document, metadata, validity);
  // Older files lack some limits, and Python writes what is missing as null.
  if (document.contains("min_distance") && !document.at("min_distance").is_null()) {
    const std::size_t n_species = metadata.species.size();
    document.at("min_distance").get_to(validity.min_distance);
    require(validity.min_distance.size() == n_species * (n_species + 1) / 2,
            "min_distance must have one value for each pair of species");
  }
  return validity;
}

void parse_masses(const json &document, Metadata &metadata)
{
  document.at("masses").get_to(metadata.masses);
  require(metadata.masses.size() == metadata.species.size(), "there must be one mass for each species");
  for (const double mass : metadata.masses) require(mass > 0.0, "masses must be positive");
}

// What only an integrator has.
void parse_motion(const json &document, Metadata &metadata)
{
  document.at("stride").get_to(metadata.stride);
  document.at("timestep").get_to(metadata.timestep);
  require(metadata.stride > 0 && metadata.timestep > 0.0, "stride and timestep must be positive");
}

Statistics parse_statistics(const json &document)
{
  Statistics statistics;
  document.at("names").get_to(statistics.names);
  document.at("mean").get_to(statistics.mean);
  const std::size_t n = statistics.names.size();
  const json &rows = document.at("covariance");
  require(statistics.mean.size() == n && rows.size() == n, "the statistics differ in length");
  for (const json &row : rows) {
    require(row.size() == n, "the covariance of the statistics is not square");
    for (const json &value : row) statistics.covariance.push_back(value.get<double>());
  }
  return statistics;
}

// What only a generator has.
void parse_generator(const json &document, Metadata &metadata)
{
  GeneratorMetadata &generator = metadata.generator;
  document.at("process").get_to(generator.process);
  for (const json &entry : document.at("properties")) {
    GlassProperty property{entry.at("name").get<std::string>(), entry.at("unit").get<std::string>(), {}};
    entry.at("range").get_to(property.range);
    const std::string &name = property.name;
    require(property.range[0] <= property.range[1], "the range of property " + quoted(name) + " is empty");
    generator.properties.push_back(property);
  }
  generator.statistics = parse_statistics(document.at("statistics"));
  if (document.contains("charges") && !document.at("charges").is_null()) {
    document.at("charges").get_to(generator.charges);
    require(generator.charges.size() == metadata.species.size(), "there must be one charge for each species");
  }
}

// What only a latent model has that makes structures, as one with statistics does.
void parse_latent_space(const json &document, Metadata &metadata)
{
  if (!document.contains("statistics") || document.at("statistics").is_null()) return;
  GeneratorMetadata &generator = metadata.generator;
  generator.statistics = parse_statistics(document.at("statistics"));
  const std::size_t latent = metadata.latent, n = 1 + metadata.species.size() + latent;
  require(generator.statistics.names.size() == n, "the statistics are not those of number density, fractions and z");
  constexpr double ENDLESS = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < latent; ++k)
    generator.properties.push_back({"z" + std::to_string(k), "", {-ENDLESS, ENDLESS}});
  document.at("latent_energy").get_to(generator.latent_energy);
  generator.process = "flow";
}

Metadata parse(const json &document)
{
  const int schema = document.at("schema").get<int>();
  require(schema == SCHEMA, "schema is " + std::to_string(schema) + ", but this version of vitrify reads schema " +
                                std::to_string(SCHEMA) +
                                (schema > SCHEMA ? ": update vitrify" : ": export the model again"));
  Metadata metadata;
  metadata.kind = choice(document, "kind", {"ogn", "symgnn", "amshortcut", "glassvae"});
  document.at("variant").get_to(metadata.variant);
  metadata.units = choice(document, "units", {"lj", "metal"});
  metadata.dtype = choice(document, "dtype", {"float32", "float64"});
  document.at("species").get_to(metadata.species);
  document.at("cutoff").get_to(metadata.cutoff);
  document.at("layers").get_to(metadata.layers);
  document.at("node_width").get_to(metadata.node_width);
  document.at("reverse_edges").get_to(metadata.reverse_edges);
  require(!metadata.species.empty(), "there must be at least one species");
  require(metadata.cutoff > 0.0, "cutoff must be positive");
  require(metadata.layers > 0 && metadata.node_width > 0, "layers and node_width must be positive");
  if (metadata.kind != "symgnn") parse_masses(document, metadata);
  if (metadata.kind == "ogn") {
    parse_motion(document, metadata);
  } else if (metadata.kind == "amshortcut") {
    parse_generator(document, metadata);
  } else if (metadata.kind == "glassvae") {
    document.at("latent").get_to(metadata.latent);
    require(metadata.latent > 0, "latent must be positive");
    parse_latent_space(document, metadata);
  } else {
    document.at("property").at("name").get_to(metadata.property);
    document.at("property").at("unit").get_to(metadata.unit);
  }
  metadata.validity = parse_validity(document.at("validity"), metadata);
  metadata.reference = parse_reference(document.at("reference"), metadata);
  return metadata;
}

}    // namespace

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

Metadata parse_metadata(const std::string &text, const std::string &path)
{
  try {
    return parse(json::parse(text));
  } catch (const Error &error) {
    throw Error("model file " + path + ": " + error.what());
  } catch (const json::exception &error) {
    throw Error("model file " + path + ": vitrify.json is damaged or incomplete (" + error.what() +
                "): export the model again");
  }
}

double relative_error(const std::vector<double> &got, const std::vector<double> &expected)
{
  double square = 0.0;
  double worst = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::fabs(got[i] - expected[i]);
    if (!std::isfinite(error)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, error);
    square += expected[i] * expected[i];
  }
  const double rms = std::sqrt(square / static_cast<double>(expected.size()));
  return worst / (rms > 0.0 ? rms : 1.0);
}

double reference_error(Engine &engine, const Metadata &metadata)
{
  const ReferenceCase &reference = metadata.reference;
  const std::size_t n = reference.types.size();
  PeriodicSystem system;
  system.build(reference.cell, n, reference.positions[0].data(),
               reference.velocities.empty() ? nullptr : reference.velocities[0].data(), reference.types.data(),
               metadata.cutoff);
  std::vector<double> first(reference.first.size()), second(reference.second.size());
  system.predict(engine, metadata.layers, first.data(), second.data());
  return std::max(relative_error(first, reference.first), relative_error(second, reference.second));
}

}    // namespace vitrify
