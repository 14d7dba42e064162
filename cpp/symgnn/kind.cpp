// SPDX-License-Identifier: BSD-3-Clause
#include "engines/kind.h"
#include "modelfile/metadata_format.h"
#include "symgnn/symgnn_engine.h"

namespace vitrify {

namespace {

void read(const json &document, Metadata &metadata)
{
  document.at("property").at("name").get_to(metadata.property);
  document.at("property").at("unit").get_to(metadata.unit);
  require(!metadata.property.empty(), "the property has no name");
  require(!metadata.reverse_edges, "reverse_edges must be false");
}

void read_reference(const json &document, const Metadata &, ReferenceCase &reference)
{
  document.at("values").get_to(reference.first);
  document.at("deviations").get_to(reference.second);
  for (const double deviation : reference.second) require(deviation >= 0.0, "a standard deviation is negative");
}

std::string use(const Metadata &metadata)
{
  return ": it predicts the " + metadata.property +
         " of atoms at rest and moves nothing; use compute symgnn/atom for it";
}

}    // namespace

const MetadataFormat symgnn_metadata{"symgnn", false, false, true, 1, read, read_validity_at_rest, read_reference};

const Kind symgnn_kind{
    "symgnn", "which predicts a property of atoms", "compute symgnn/atom", use, make_symgnn_engine, nullptr, nullptr};

}    // namespace vitrify
