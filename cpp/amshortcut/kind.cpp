// SPDX-License-Identifier: BSD-3-Clause
#include "engines/kind.h"
#include "amshortcut/flow_network_engine.h"
#include "modelfile/metadata_format.h"

#include <algorithm>
#include <array>

namespace vitrify {

namespace {

void read(const json &document, Metadata &metadata)
{
  GeneratorMetadata &generator = metadata.generator;
  document.at("process").get_to(generator.process);
  constexpr std::array<const char *, 4> PROCESSES = {"flow", "ode", "sde", "shortcut"};
  require(std::count(PROCESSES.begin(), PROCESSES.end(), generator.process) == 1,
          "process is " + vitrify::quoted(generator.process) + ", but this version knows flow, ode, sde and shortcut");
  require(!metadata.reverse_edges, "reverse_edges must be false");
  if (has_value(document, "ghost_density"))
    require(document.at("ghost_density").get<double>() > 0.0, "ghost_density must be positive");
  for (const json &entry : document.at("properties")) {
    GlassProperty property{entry.at("name").get<std::string>(), entry.at("unit").get<std::string>(), {}};
    entry.at("range").get_to(property.range);
    const std::string &name = property.name;
    require(!name.empty(), "a property has no name");
    require(entry.at("range").size() == 2, "the range of property " + vitrify::quoted(name) + " is not two numbers");
    require(property.range[0] <= property.range[1], "the range of property " + quoted(name) + " is empty");
    generator.properties.push_back(property);
  }
  generator.statistics = read_statistics(document.at("statistics"));
  require_names(metadata);
  if (has_value(document, "charges")) {
    document.at("charges").get_to(generator.charges);
    require(generator.charges.size() == metadata.species.size(), "there must be one charge for each species");
  }
}

// A property that is not asked for is null.
void read_reference(const json &document, const Metadata &metadata, ReferenceCase &reference)
{
  reference.time = read_share(document, "time");
  reference.step = read_share(document, "step");
  for (const json &value : document.at("properties")) {
    reference.known.push_back(value.is_null() ? 0.0 : 1.0);
    reference.properties.push_back(value.is_null() ? 0.0 : value.get<double>());
  }
  require(reference.known.size() == metadata.generator.properties.size(),
          "the reference case must have one value for each property");
  reference.first = flattened(document.at("vectors"));
}

std::string use(const Metadata &)
{ return ": it makes structures; use create_glass for it"; }

std::unique_ptr<FlowNetwork> make_network(const ModelFile &file)
{ return make_flow_network(file, ""); }

}    // namespace

const MetadataFormat amshortcut_metadata{"amshortcut",          true,          false, false, 3, read,
                                         read_validity_at_rest, read_reference};

const Kind amshortcut_kind{"amshortcut", "which makes structures", "create_glass", use, nullptr, nullptr, make_network};

}    // namespace vitrify
