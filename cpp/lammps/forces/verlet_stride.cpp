/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/forces/verlet_stride.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "modify.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"

#include <algorithm>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

void VerletStride::check(const char *caller) const
{
  if (!force->pair || utils::strmatch(force->pair_style, "^zero") || !force->pair->compute_flag)
    error->all(FLERR, fmt::format("{} needs forces: use the real pair style", caller));
  if (force->kspace)
    error->all(FLERR, fmt::format("{} knows no long-range forces: use kspace_style none and a pair style without "
                                  "them, or do without",
                                  caller));
}

/* ----------------------------------------------------------------------
   the forces that LAMMPS has are of the last timestep, and stale if another fix has moved atoms since
------------------------------------------------------------------------- */

void VerletStride::run(int nsteps, double dt, vitrify::Symmetric *virial)
{
  if (virial) virial->fill(0.0);
  update_neighbors();
  compute_forces(virial, 0.5 / nsteps);
  for (int step = 0; step < nsteps; step++) {
    kick(0.5 * dt);
    drift(dt);
    update_neighbors();
    compute_forces(virial, (step < nsteps - 1 ? 1.0 : 0.5) / nsteps);
    kick(0.5 * dt);
  }
}

/* ---------------------------------------------------------------------- */

void VerletStride::kick(double dt)
{
  const double dtf = dt * force->ftm2v;
  for (int i = 0; i < atom->nlocal; i++) {
    const double dtfm = dtf / atom->mass[atom->type[i]];
    for (int k = 0; k < 3; k++) atom->v[i][k] += dtfm * atom->f[i][k];
  }
}

/* ---------------------------------------------------------------------- */

void VerletStride::drift(double dt)
{
  for (int i = 0; i < atom->nlocal; i++)
    for (int k = 0; k < 3; k++) atom->x[i][k] += dt * atom->v[i][k];
}

/* ---------------------------------------------------------------------- */

void VerletStride::update_neighbors()
{
  if (neighbor->decide())
    rebuild_neighbors();
  else
    comm->forward_comm();
}

/* ----------------------------------------------------------------------
   as Verlet::run does it between two steps, with the callbacks of all fixes: fix ogn, which is waiting in its
   initial_integrate for this stride to end, gets its post_neighbor here
------------------------------------------------------------------------- */

void VerletStride::rebuild_neighbors()
{
  if (modify->n_pre_exchange) modify->pre_exchange();
  if (domain->triclinic) domain->x2lamda(atom->nlocal);
  domain->pbc();
  if (domain->box_change) {
    domain->reset_box();
    comm->setup();
    if (neighbor->style) neighbor->setup_bins();
  }
  comm->exchange();
  comm->borders();
  if (domain->triclinic) domain->lamda2x(atom->nlocal + atom->nghost);
  if (modify->n_pre_neighbor) modify->pre_neighbor();
  neighbor->build(1);
  if (modify->n_post_neighbor) modify->post_neighbor();
}

/* ---------------------------------------------------------------------- */

void VerletStride::compute_forces(vitrify::Symmetric *virial, double weight)
{
  // as Integrate: with newton on, most pair styles sum it from the forces of all atoms, ghosts included

  const int vflag = !virial ? 0 : force->newton_pair ? VIRIAL_FDOTR : VIRIAL_PAIR;
  const int nforces = atom->nlocal + (force->newton ? atom->nghost : 0);
  if (nforces > 0) std::fill_n(&atom->f[0][0], 3 * static_cast<std::size_t>(nforces), 0.0);
  if (modify->n_pre_force) modify->pre_force(0);
  force->pair->compute(0, vflag);
  if (virial)
    for (int k = 0; k < 6; k++) (*virial)[k] += weight * force->pair->virial[k];
  if (modify->n_pre_reverse) modify->pre_reverse(0, 0);
  if (force->newton) comm->reverse_comm();
}
