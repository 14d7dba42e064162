/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/ogn_predictor.h"

#include "rules/guard.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "fix.h"
#include "neigh_list.h"

#include <algorithm>
#include <limits>

using namespace LAMMPS_NS;

static constexpr int NVELOCITY = 3;

/* ---------------------------------------------------------------------- */

int OGNPredictor::largest_message() const
{ return MAX(NVELOCITY, host.engine->width()); }

/* ---------------------------------------------------------------------- */

void OGNPredictor::update_species()
{
  const int nall = atom->nlocal + atom->nghost;
  if (species.size() < static_cast<std::size_t>(nall)) species.resize(atom->nmax);
  for (int i = 0; i < nall; i++) species[i] = host.species_of_type[atom->type[i]];
}

/* ----------------------------------------------------------------------
   positions of ghosts are current, because LAMMPS communicated them after the last move
   ghosts reach as far as cutoff + skin when they are chosen, the list holds every pair as close, and since then
   no atom has moved further than half of the skin (neigh_modify check yes), so that no pair within the cutoff is missed
------------------------------------------------------------------------- */

void OGNPredictor::predict(Fix *fix, bool with_virial)
{
  trouble.clear();
  host.attempt(trouble, [&] { host.engine->ask_virial(with_virial); });
  exchanged = VELOCITIES;
  comm->forward_comm(fix, NVELOCITY);

  const std::size_t nlocal = atom->nlocal;
  if (dr.size() < 3 * nlocal) {
    dr.resize(3 * static_cast<std::size_t>(atom->nmax));
    dv.resize(dr.size());
  }
  host.attempt(trouble, [&] { begin(); });
  exchanged = FEATURES;
  for (int index = 0; index < host.model.layers; index++) {
    host.attempt(trouble, [&] { host.engine->layer(index); });
    if (comm->nprocs > 1 || host.engine->needs_exchange()) comm->forward_comm(fix, host.engine->width());
  }
  host.attempt(trouble, [&] { host.engine->finish(dr.data(), dv.data()); });
  stress.fill(std::numeric_limits<double>::quiet_NaN());
  if (with_virial) host.attempt(trouble, [&] { stress = host.engine->virial(); });
}

/* ---------------------------------------------------------------------- */

void OGNPredictor::begin()
{
  vitrify::Configuration configuration;
  configuration.n_owned = atom->nlocal;
  configuration.n_nodes = atom->nlocal + atom->nghost;
  configuration.types = species.data();
  configuration.positions = atom->x[0];
  configuration.velocities = atom->v[0];
  cell = {vitrify::Vector3{domain->xprd, 0.0, 0.0}, vitrify::Vector3{domain->xy, domain->yprd, 0.0},
          vitrify::Vector3{domain->xz, domain->yz, domain->zprd}};
  configuration.cell = &cell;
  configuration.whole = comm->nprocs == 1 && domain->xperiodic && domain->yperiodic && domain->zperiodic;
  if (list) {
    configuration.counts = list->numneigh;
    configuration.lists = list->firstneigh;
    configuration.mask = NEIGHMASK;
  }
  host.engine->begin(configuration);
}

/* ----------------------------------------------------------------------
   a rank that has failed takes part in every exchange, so that no other rank waits for it, and sends zeros
------------------------------------------------------------------------- */

int OGNPredictor::pack_forward_comm(int n, const int *sendlist, double *buf)
{
  if (exchanged == FEATURES) {
    const int width = host.engine->width();
    host.attempt(trouble, [&] { host.engine->pack(n, sendlist, buf); });
    if (!trouble.empty()) std::fill_n(buf, static_cast<std::size_t>(n) * width, 0.0);
    return n * width;
  }
  for (int i = 0; i < n; i++)
    std::copy_n(atom->v[sendlist[i]], NVELOCITY, buf + NVELOCITY * static_cast<std::size_t>(i));
  return NVELOCITY * n;
}

/* ----------------------------------------------------------------------
   the rows of ghosts in the array of velocities are unused, or comm_modify vel yes has filled them with the same values
------------------------------------------------------------------------- */

void OGNPredictor::unpack_forward_comm(int n, int first, const double *buf)
{
  if (exchanged == FEATURES)
    host.attempt(trouble, [&] { host.engine->unpack(n, first, buf); });
  else if (n > 0)
    std::copy_n(buf, NVELOCITY * static_cast<std::size_t>(n), atom->v[first]);
}

/* ---------------------------------------------------------------------- */

std::pair<int, int> OGNPredictor::closest_atoms(int a, int b, double distance) const
{
  return vitrify::closest_atoms(atom->nlocal, atom->nlocal + atom->nghost, species.data(), atom->x[0], a, b, distance);
}

/* ---------------------------------------------------------------------- */

std::size_t OGNPredictor::bytes() const
{ return host.engine->bytes() + sizeof(int) * species.capacity() + sizeof(double) * (dr.capacity() + dv.capacity()); }
