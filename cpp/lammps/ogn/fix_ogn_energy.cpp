/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   What fix ogn does to the energy: rescale and langevin
------------------------------------------------------------------------- */

#include "lammps/ogn/fix_ogn.h"

#include "base/counter_rng.h"

#include "atom.h"
#include "compute.h"
#include "error.h"
#include "force.h"
#include "update.h"

#include <cmath>

using namespace LAMMPS_NS;

/* ----------------------------------------------------------------------
   the first step of the first run sets the energy to hold, unless a restart file did
------------------------------------------------------------------------- */

void FixOGN::setup(int /*vflag*/)
{
  if (!rescale_flag) return;
  if (!has_target) {
    const Motion now = motion();
    target_energy = pe->compute_scalar() + now.kinetic + kinetic_of_centre(now);
    has_target = true;
  }
  pe->addstep(update->ntimestep + 1);
}

/* ----------------------------------------------------------------------
   exact Ornstein-Uhlenbeck process for half of a timestep, with noise that is a function of
   seed, step, half and atom ID alone
------------------------------------------------------------------------- */

void FixOGN::langevin_half_step(int half)
{
  double **v = atom->v;
  const double decay = exp(-0.5 * update->dt / langevin_damp);
  const auto step = static_cast<uint64_t>(update->ntimestep);

  double kinetic = 0.0;
  for (int i = 0; i < atom->nlocal; i++) {
    const double mass = atom->mass[atom->type[i]];
    const double noise = sqrt((1.0 - decay * decay) * force->boltz * langevin_temp / (mass * force->mvv2e));
    const auto id = static_cast<uint64_t>(atom->tag[i]);
    const auto xi = vitrify::normal3({static_cast<uint32_t>(id), static_cast<uint32_t>(id >> 32),
                                      static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)},
                                     {static_cast<uint32_t>(langevin_seed), static_cast<uint32_t>(half)});
    for (int k = 0; k < 3; k++) {
      const double before = v[i][k];
      v[i][k] = decay * before + noise * xi[k];
      kinetic += 0.5 * mass * (v[i][k] * v[i][k] - before * before);
    }
  }
  work_local -= force->mvv2e * kinetic;
}

/* ----------------------------------------------------------------------
   sums over all atoms of all ranks; every rank gets them
------------------------------------------------------------------------- */

FixOGN::Motion FixOGN::motion()
{
  double mine[6] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
  for (int i = 0; i < atom->nlocal; i++) {
    const double *x = atom->x[i];
    const double *v = atom->v[i];
    const double mass = atom->mass[atom->type[i]];
    mine[0] += mass * (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    for (int k = 0; k < 3; k++) mine[k + 1] += mass * v[k];
    mine[4] += mass;
    mine[5] += 0.0 * (x[0] + x[1] + x[2]);    // not a number if one of them is none
  }
  double all[6];
  MPI_Allreduce(mine, all, 6, MPI_DOUBLE, MPI_SUM, world);
  Motion result{0.5 * force->mvv2e * all[0], {all[1], all[2], all[3]}, all[4], std::isfinite(all[0] + all[5])};
  result.kinetic -= kinetic_of_centre(result);
  return result;
}

/* ---------------------------------------------------------------------- */

double FixOGN::kinetic_of_centre(const Motion &m) const
{
  const double *p = m.momentum;
  return m.mass > 0.0 ? 0.5 * force->mvv2e * (p[0] * p[0] + p[1] * p[1] + p[2] * p[2]) / m.mass : 0.0;
}

/* ----------------------------------------------------------------------
   potential energy at the new positions is known here: scale the velocities relative to the
   centre of mass, so that the total energy is held and momentum is left alone
------------------------------------------------------------------------- */

void FixOGN::final_integrate()
{
  if (!rescale_flag) return;
  const Motion now = motion();
  const double wanted = target_energy - pe->compute_scalar() - kinetic_of_centre(now);
  pe->addstep(update->ntimestep + 1);

  if (!(wanted > 0.0) || !(now.kinetic > 0.0))
    error->all(
        FLERR,
        fmt::format("fix ogn: energy rescale cannot hold the total energy {:.8g} at step {}: it leaves {:.8g} for "
                    "the kinetic energy; the model has left the range that it was trained in",
                    target_energy, update->ntimestep, wanted));

  rescale_factor = sqrt(wanted / now.kinetic);
  for (int i = 0; i < atom->nlocal; i++)
    for (int k = 0; k < 3; k++) {
      const double centre = now.momentum[k] / now.mass;
      atom->v[i][k] = centre + rescale_factor * (atom->v[i][k] - centre);
    }
  work_before += now.kinetic - wanted;
}
