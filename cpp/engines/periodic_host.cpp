// SPDX-License-Identifier: BSD-3-Clause
#include "engines/periodic_host.h"

#include <cstddef>

namespace vitrify {

void PeriodicHost::predict(Engine &engine, int layers, double *first, double *second, std::array<double, 6> *virial)
{
  Configuration configuration = system.configuration();
  const int n_owned = static_cast<int>(configuration.n_owned);
  const int n_ghosts = static_cast<int>(configuration.n_nodes) - n_owned;
  if (engine.needs_lists()) half_list_.build(configuration, system.cutoff());
  engine.ask_virial(virial != nullptr);
  engine.begin(configuration);
  buffer_.resize(static_cast<std::size_t>(n_ghosts) * static_cast<std::size_t>(engine.width()));
  for (int index = 0; index < layers; ++index) {
    engine.layer(index);
    if (!engine.needs_exchange()) continue;
    engine.pack(n_ghosts, system.owners() + n_owned, buffer_.data());
    engine.unpack(n_ghosts, n_owned, buffer_.data());
  }
  engine.finish(first, second);
  if (virial) *virial = engine.virial();
}

}    // namespace vitrify
