// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace vitrify {

/// The streams of random numbers of one seed: whoever draws has one of its own, in every host.
enum class Stream : std::uint32_t {
  LANGEVIN_BEFORE = 0,    // half-step of fix ogn's thermostat before a stride,
  LANGEVIN_AFTER = 1,     // and after it
  SITES = 2,              // lattice that a flow starts from: of the first species, see `sites_stream`
  LATENT_CHOICES = 3,     // which Gaussian of latent vectors, and the rank of the energy
  START = 4,              // noise that a process starts from
  CHURN = 5,              // noise on positions between two steps of a sampler
  ELEMENTS = 6,           // noise on elements between two steps of a sampler
  LATENT_NOISE = 7,       // rest of a latent vector
  END = 8,    // of the streams from here on every eighth belongs to the sites of further species, 10, 18, ...
  BOX = 9     // noise of a barostat
};

/// The stream of the sites of a species, from 0: SITES + 8, SITES + 16, ... for the further ones.
inline Stream sites_stream(std::uint32_t species)
{
  return static_cast<Stream>(static_cast<std::uint32_t>(Stream::SITES) +
                             static_cast<std::uint32_t>(Stream::END) * species);
}

}    // namespace vitrify
