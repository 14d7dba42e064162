/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/host/model_nodes.h"

#include "lammps/host/model_host.h"

#include "atom.h"

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

vitrify::Configuration ModelNodes::find()
{
  const int nall = atom->nlocal + atom->nghost;
  nodes.resize(nall);
  species.clear();
  positions.clear();
  for (int i = 0; i < nall; i++) {
    if (i == atom->nlocal) nowned = static_cast<int>(species.size());
    const int s = atom->mask[i] & hidden ? -1 : host.species_of_type[atom->type[i]];
    nodes[i] = s < 0 ? -1 : static_cast<int>(species.size());
    if (s < 0) continue;
    species.push_back(s);
    positions.insert(positions.end(), atom->x[i], atom->x[i] + 3);
  }
  if (nall == atom->nlocal) nowned = static_cast<int>(species.size());

  vitrify::Configuration configuration;
  configuration.n_owned = nowned;
  configuration.n_nodes = static_cast<int>(species.size());
  configuration.types = species.data();
  configuration.positions = positions.data();
  return configuration;
}

/* ---------------------------------------------------------------------- */

std::vector<double> ModelNodes::count() const
{
  std::vector<double> counts(host.model.species.size(), 0.0);
  for (int node = 0; node < nowned; node++) counts[species[node]] += 1.0;
  return counts;
}

/* ---------------------------------------------------------------------- */

std::size_t ModelNodes::bytes() const
{ return sizeof(int) * (nodes.capacity() + species.capacity()) + sizeof(double) * positions.capacity(); }
