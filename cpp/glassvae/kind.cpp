// SPDX-License-Identifier: BSD-3-Clause
#include "engines/kind.h"
#include "amshortcut/flow_network_engine.h"
#include "glassvae/glassvae_engine.h"
#include "modelfile/metadata_format.h"
#include "modelfile/strict_json.h"

#include <limits>

namespace vitrify {

namespace {

// A latent model with statistics of its z makes structures.
void read_latent_space(const json &document, Metadata &metadata)
{
  if (!has_value(document, "statistics")) return;
  GeneratorMetadata &generator = metadata.generator;
  generator.statistics = read_statistics(document.at("statistics"));
  const std::size_t latent = metadata.latent, n = 1 + metadata.species.size() + latent;
  require(generator.statistics.names.size() == n, "the statistics are not those of number density, fractions and z");
  constexpr double ENDLESS = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < latent; ++k)
    generator.properties.push_back({"z" + std::to_string(k), "", {-ENDLESS, ENDLESS}});
  document.at("latent_energy").get_to(generator.latent_energy);
  require_names(metadata);
  generator.process = "flow";
}

void read(const json &document, Metadata &metadata)
{
  metadata.latent = whole_number(document.at("latent"), "latent", 1, MAX_LATENT);
  require(!metadata.reverse_edges, "reverse_edges must be false");
  if (has_value(document, "latent_energy")) {
    const auto name = document.at("latent_energy").get<std::string>();
    require(name == "inherent_energy" || name == "energy",
            "latent_energy is " + vitrify::quoted(name) + ", but this version knows inherent_energy and energy");
  }
  read_latent_space(document, metadata);
}

// The answer of the decoder to the z of the structure.
void read_decoded(const json &document, const Metadata &metadata, ReferenceCase &reference)
{
  if (!metadata.makes_structures() || !has_value(document, "decoded")) return;
  const json &decoded = document.at("decoded");
  reference.time = read_share(decoded, "time");
  reference.step = read_share(decoded, "step");
  reference.decoded = flattened(decoded.at("vectors"));
  reference.properties = reference.latent;
  reference.known.assign(reference.latent.size(), 1.0);
  require(reference.decoded.size() == 3 * reference.positions.size(),
          "the arrays of the reference case differ in length");
}

void read_reference(const json &document, const Metadata &metadata, ReferenceCase &reference)
{
  reference.first = flattened(document.at("forces"));
  document.at("energy").get_to(reference.energy);
  document.at("stress").get_to(reference.stress);
  document.at("latent").get_to(reference.latent);
  require(reference.latent.size() == static_cast<std::size_t>(metadata.latent),
          "the reference case must have one value for each latent number");
  read_decoded(document, metadata, reference);
}

std::string use(const Metadata &)
{
  return ": it gives energies, forces and a latent vector; use pair_style glassvae, compute glassvae/latent or "
         "create_glass for it";
}

std::unique_ptr<FlowNetwork> make_decoder(const ModelFile &file)
{ return make_flow_network(file, "decoder"); }

}    // namespace

const MetadataFormat glassvae_metadata{"glassvae", true, false, false, 3, read, read_validity_at_rest, read_reference};

const Kind glassvae_kind{"glassvae",
                         "which gives energies, forces and a latent vector",
                         "pair_style glassvae, compute glassvae/latent or create_glass",
                         use,
                         nullptr,
                         make_glassvae_engine,
                         make_decoder};

}    // namespace vitrify
