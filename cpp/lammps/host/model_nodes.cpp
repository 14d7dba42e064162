/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/host/model_nodes.h"

#include "lammps/host/model_host.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "group.h"
#include "neighbor.h"
#include "update.h"

using namespace LAMMPS_NS;

static constexpr int ALL = 0;    // number of the group

/* ---------------------------------------------------------------------- */

void ModelNodes::check_exclusions() const
{
  bool known = neighbor->nex_type == 0 && neighbor->nex_mol == 0;
  for (int k = 0; k < neighbor->nex_group; k++)
    if (neighbor->ex1_group[k] != ALL && neighbor->ex2_group[k] != ALL) known = false;
  if (!known)
    error->all(FLERR, fmt::format("{}: the model cannot leave out pairs: use neigh_modify exclude none, or exclude "
                                  "group ID all, which takes the atoms of a group out",
                                  host.style));
}

/* ----------------------------------------------------------------------
   within a run atoms may have changed their groups since ghosts were chosen
   rows of all atoms that there is room for, because LAMMPS names atoms by their places before some of them were deleted
------------------------------------------------------------------------- */

void ModelNodes::hide_excluded_groups()
{
  check_exclusions();
  hidden = 0;
  for (int k = 0; k < neighbor->nex_group; k++) {
    const int one = neighbor->ex1_group[k], other = neighbor->ex2_group[k];
    if (one == ALL || other == ALL) hidden |= group->bitmask[one == ALL ? other : one];
  }
  if (hidden == 0 || update->whichflag == 0) return;
  std::vector<double> masks(atom->nmax, 0.0);
  std::vector<double *> rows(atom->nmax);
  for (int i = 0; i < atom->nmax; i++) rows[i] = &masks[i];
  for (int i = 0; i < atom->nlocal; i++) masks[i] = ubuf(atom->mask[i]).d;
  comm->forward_comm_array(1, rows.data());
  for (int i = atom->nlocal; i < atom->nlocal + atom->nghost; i++) atom->mask[i] = static_cast<int>(ubuf(masks[i]).i);
}

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
