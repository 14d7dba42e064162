// SPDX-License-Identifier: BSD-3-Clause
#include "engines/kind.h"
#include "modelfile/metadata_format.h"
#include "modelfile/strict_json.h"
#include "ogn/ogn_engine.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

namespace {

/// Metrics are only told to people, whatever they are; one that cannot be an error counts as missing.
double error_of(const char *name, const json &metrics)
{
  if (!metrics.contains(name) || !metrics.at(name).is_number()) return 0.0;
  const double value = metrics.at(name).get<double>();
  return std::isfinite(value) && value > 0.0 ? value : 0.0;
}

void require_range(const json &stress, const char *key)
{
  const json &range = stress.at(key);
  require(range.is_array() && range.size() == 2 && range[0].is_number() && range[1].is_number(),
          std::string(key) + " of the stress is not a range of two numbers");
}

// What the file says of the errors of its stress, which only people read.
void check_stress(const json &document)
{
  if (!has_value(document, "stress")) return;
  const json &stress = document.at("stress");
  require(stress.is_object(), "stress is not an object");
  require(stress.at("unit").is_string(), "the unit of the stress is not a text");
  require(stress.at("shear_r").is_number(), "shear_r of the stress is not a number");
  for (const char *key : {"rms", "bias", "spread", "shear_rms", "ridge"})
    require(stress.at(key).is_number() && stress.at(key).get<double>() >= 0.0,
            std::string(key) + " of the stress is not a number >= 0");
  for (const char *key : {"strides", "trajectories", "atoms"}) {
    constexpr double MOST = 9e15;    // of a number with a point or an exponent, as of all whole numbers of a file
    const json &value = stress.at(key);
    const double number = value.is_number() ? value.get<double>() : 0.0;
    const bool is_whole = value.is_number_integer() || (number < MOST && number == std::floor(number));
    require(number >= 1.0 && is_whole, std::string(key) + " of the stress is not a whole number >= 1");
  }
  for (const char *key : {"temperature", "number_density"}) require_range(stress, key);
  if (!stress.contains("data")) return;
  const json &data = stress.at("data");
  require(data.is_array() && std::all_of(data.begin(), data.end(), [](const json &one) { return one.is_object(); }),
          "data of the stress is not a list of objects");
}

void read(const json &document, Metadata &metadata)
{
  check_stress(document);
  metadata.stride = whole_number(document.at("stride"), "stride", 1, MAX_STRIDE);
  document.at("timestep").get_to(metadata.timestep);
  require(metadata.timestep > 0.0, "timestep must be positive");
  const double step = document.at("base_timestep").get<double>();
  require(step > 0.0 && std::fabs(metadata.timestep - metadata.stride * step) <= 1e-9 * metadata.timestep,
          "timestep must be stride times base_timestep");
  if (!has_value(document, "metrics")) return;
  metadata.position_error = error_of("rmse_dr", document.at("metrics"));
  metadata.velocity_error = error_of("rmse_dv", document.at("metrics"));
}

void read_validity(const json &document, const Metadata &metadata, Validity &validity)
{
  read_validity_of_structures(document, metadata, validity);
  document.at("temperature").get_to(validity.temperature);
  require(validity.temperature[1] > 0.0, "the temperatures of the validity range are not positive");
  if (has_value(document, "max_displacement")) {
    document.at("max_displacement").get_to(validity.max_displacement);
    require(validity.max_displacement > 0.0, "max_displacement must be positive");
  }
}

void read_reference(const json &document, const Metadata &, ReferenceCase &reference)
{
  reference.first = flattened(document.at("dr"));
  reference.second = flattened(document.at("dv"));
  if (!has_value(document, "virial")) return;
  document.at("virial").get_to(reference.virial);
  require(reference.virial.size() == 6, "the virial of the reference case has not six numbers");
}

std::string use(const Metadata &)
{ return ", an integrator: use fix ogn for it"; }

}    // namespace

const MetadataFormat ogn_metadata{"ogn", true, true, true, 3, read, read_validity, read_reference};

const Kind ogn_kind{"ogn", "an integrator", "fix ogn", use, make_ogn_engine, nullptr, nullptr};

}    // namespace vitrify
