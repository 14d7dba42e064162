// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/metadata_types.h"

#include "base/error.h"
#include "modelfile/metadata_format.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

namespace {

using Test = bool (*)(const json &value);

bool is_object(const json &value)
{ return value.is_object(); }

bool is_text(const json &value)
{ return value.is_string(); }

bool is_number(const json &value)
{ return value.is_number(); }

bool is_whole(const json &value)
{
  constexpr double MOST = 9e15;    // doubles beyond leave out whole numbers
  if (!value.is_number_float()) return value.is_number_integer();
  const auto number = value.get<double>();
  return std::fabs(number) < MOST && number == std::floor(number);
}

bool is_range(const json &value)
{ return value.is_array() && value.size() == 2 && std::all_of(value.begin(), value.end(), is_number); }

bool is_row(const json &value)
{ return value.is_array() && value.size() == 3 && std::all_of(value.begin(), value.end(), is_number); }

bool are_rows(const json &value)
{ return value.is_array() && std::all_of(value.begin(), value.end(), is_row); }

bool are_ranges(const json &value)
{ return value.is_object() && std::all_of(value.begin(), value.end(), is_range); }

bool are_objects(const json &value)
{ return value.is_array() && std::all_of(value.begin(), value.end(), is_object); }

bool are_versions(const json &value)
{
  return value.is_object() &&
         std::all_of(value.begin(), value.end(), [](const json &one) { return one.is_string() || one.is_null(); });
}

// Throws Error if the key is there with a value that fails the test; `null` says whether null will do.
void expect(const json &document, const char *key, Test test, const char *what, bool null = false)
{
  const auto found = document.find(key);
  if (found == document.end() || (null && found->is_null()) || test(*found)) return;
  throw Error(std::string(key) + " is " + found->dump().substr(0, 40) + ", not " + what);
}

void check_provenance(const json &document)
{
  expect(document, "provenance", is_object, "an object");
  if (!document.contains("provenance")) return;
  const json &provenance = document.at("provenance");
  expect(provenance, "config", is_object, "an object");
  expect(provenance, "data", are_objects, "a list of objects");
  expect(provenance, "versions", are_versions, "an object of texts");
  for (const char *key : {"seed", "steps"}) expect(provenance, key, is_whole, "a whole number", true);
}

}    // namespace

void check_types(const json &document)
{
  for (const char *key : {"network", "hyperparameters", "metrics"}) expect(document, key, is_object, "an object");
  expect(document, "citation", is_text, "a text");
  expect(document, "latent_energy_range", is_range, "a range of two numbers", true);
  check_provenance(document);

  const json &validity = document.at("validity");
  expect(validity, "composition", are_ranges, "a range of two numbers for each species");
  expect(validity, "number_density", is_range, "a range of two numbers");
  expect(validity, "temperature", is_range, "a range of two numbers", true);
  require(validity.contains("composition") && validity.contains("number_density"),
          "the validity range lacks number_density or composition");

  const json &reference = document.at("reference");
  for (const char *key : {"cell", "positions", "velocities", "dr", "dv", "forces", "stress", "vectors"})
    expect(reference, key, are_rows, "rows of three numbers");
  if (has_value(reference, "decoded")) expect(reference.at("decoded"), "vectors", are_rows, "rows of three numbers");
  for (const char *key : {"cell", "stress"})
    require(!reference.contains(key) || reference.at(key).size() == 3, std::string(key) + " must have three rows");
}

}    // namespace vitrify
