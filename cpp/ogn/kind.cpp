// SPDX-License-Identifier: BSD-3-Clause
#include "engines/kind.h"
#include "modelfile/metadata_format.h"
#include "modelfile/strict_json.h"
#include "ogn/ogn_engine.h"

#include <cmath>

namespace vitrify {

namespace {

void read(const json &document, Metadata &metadata)
{
  metadata.stride = whole_number(document.at("stride"), "stride", 1, MAX_STRIDE);
  document.at("timestep").get_to(metadata.timestep);
  require(metadata.timestep > 0.0, "timestep must be positive");
  const double step = document.at("base_timestep").get<double>();
  require(step > 0.0 && std::fabs(metadata.timestep - metadata.stride * step) <= 1e-9 * metadata.timestep,
          "timestep must be stride times base_timestep");
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
}

std::string use(const Metadata &)
{ return ", an integrator: use fix ogn for it"; }

}    // namespace

const MetadataFormat ogn_metadata{"ogn", true, true, true, 3, read, read_validity, read_reference};

const Kind ogn_kind{"ogn", "an integrator", "fix ogn", use, make_ogn_engine, nullptr, nullptr};

}    // namespace vitrify
