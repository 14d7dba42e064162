// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/metadata_format.h"

#include "base/error.h"

namespace vitrify {

void require(bool condition, const std::string &message)
{
  if (!condition) throw Error(message);
}

std::string quoted(const std::string &text)
{ return "\"" + text + "\""; }

std::vector<double> flattened(const json &rows)
{
  std::vector<double> values;
  for (const auto &row : rows.get<std::vector<Vector3>>()) values.insert(values.end(), row.begin(), row.end());
  return values;
}

bool has_value(const json &document, const char *key)
{ return document.contains(key) && !document.at(key).is_null(); }

Statistics read_statistics(const json &document)
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

double read_share(const json &document, const char *key)
{
  const double value = document.at(key).get<double>();
  require(value >= 0.0 && value <= 1.0, std::string(key) + " must lie between 0 and 1");
  return value;
}

void require_names(const Metadata &metadata)
{
  std::vector<std::string> names = {"number_density"};
  for (const std::string &name : metadata.species) names.push_back("fraction:" + name);
  for (const GlassProperty &property : metadata.generator.properties) names.push_back(property.name);
  require(metadata.generator.statistics.names == names,
          "the statistics are not those of number density, fractions and properties");
}

void read_validity_of_structures(const json &document, const Metadata &metadata, Validity &validity)
{
  document.at("number_density").get_to(validity.number_density);
  require(validity.number_density[1] > 0.0, "the number densities of the validity range are not positive");
  const json &composition = document.at("composition");
  for (const auto &name : metadata.species)
    validity.composition.push_back(composition.value(name, std::array<double, 2>{0.0, 1.0}));
}

void read_validity_at_rest(const json &document, const Metadata &metadata, Validity &validity)
{
  read_validity_of_structures(document, metadata, validity);
  if (has_value(document, "max_deviation")) {
    document.at("max_deviation").get_to(validity.max_deviation);
    require(validity.max_deviation > 0.0, "max_deviation must be positive");
  }
}

}    // namespace vitrify
