/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/ogn_energy_control.h"

#include "base/counter_rng.h"
#include "lammps/ogn/motion.h"
#include "lammps/ogn/ogn_restart.h"
#include "lammps/ogn/ogn_settings.h"

#include "atom.h"
#include "compute.h"
#include "error.h"
#include "force.h"
#include "modify.h"
#include "update.h"

#include <cmath>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

OGNEnergyControl::OGNEnergyControl(LAMMPS *lmp, const OGNSettings &settings) :
    Pointers(lmp), settings(settings), pe(nullptr), has_target(false), target(0.0), factor(1.0), work_before(0.0),
    work_local(0.0)
{
}

/* ---------------------------------------------------------------------- */

void OGNEnergyControl::init()
{
  if (!settings.rescale) return;
  pe = modify->get_compute_by_id("thermo_pe");
  pe->addstep(update->ntimestep);
}

/* ----------------------------------------------------------------------
   the first step of the first run sets the energy to hold, unless a restart file did
------------------------------------------------------------------------- */

void OGNEnergyControl::setup()
{
  if (!settings.rescale) return;
  if (!has_target) {
    const Motion now = total_motion(lmp);
    target = pe->compute_scalar() + now.kinetic + now.kinetic_of_centre;
    has_target = true;
  }
  pe->addstep(update->ntimestep + 1);
}

/* ----------------------------------------------------------------------
   exact Ornstein-Uhlenbeck process for half of a timestep; the noise depends on seed, step, half and atom ID alone
------------------------------------------------------------------------- */

void OGNEnergyControl::langevin_half_step(int half)
{
  if (!settings.langevin) return;
  double **v = atom->v;
  const double decay = exp(-0.5 * update->dt / settings.damp);
  const auto step = static_cast<uint64_t>(update->ntimestep);
  const auto stream = half == 0 ? vitrify::Stream::LANGEVIN_BEFORE : vitrify::Stream::LANGEVIN_AFTER;

  double kinetic = 0.0;
  for (int i = 0; i < atom->nlocal; i++) {
    const double mass = atom->mass[atom->type[i]];
    const double noise = sqrt((1.0 - decay * decay) * force->boltz * settings.temperature / (mass * force->mvv2e));
    const auto xi = vitrify::normal3(static_cast<uint64_t>(atom->tag[i]), step, settings.seed, stream);
    for (int k = 0; k < 3; k++) {
      const double before = v[i][k];
      v[i][k] = decay * before + noise * xi[k];
      kinetic += 0.5 * mass * (v[i][k] * v[i][k] - before * before);
    }
  }
  work_local -= force->mvv2e * kinetic;
}

/* ----------------------------------------------------------------------
   the potential energy at the new positions is known here: scale the velocities relative to the centre of mass, so
   that the total energy is held and the momentum does not change
------------------------------------------------------------------------- */

void OGNEnergyControl::rescale()
{
  if (!settings.rescale) return;
  const Motion now = total_motion(lmp);
  const double wanted = target - pe->compute_scalar() - now.kinetic_of_centre;
  pe->addstep(update->ntimestep + 1);

  if (!(wanted > 0.0) || !(now.kinetic > 0.0))
    error->all(
        FLERR,
        fmt::format("fix ogn: energy rescale cannot hold the total energy {:.8g} at step {}: it leaves {:.8g} for "
                    "the kinetic energy; the model has left the range that it was trained in",
                    target, update->ntimestep, wanted));

  factor = sqrt(wanted / now.kinetic);
  for (int i = 0; i < atom->nlocal; i++)
    for (int k = 0; k < 3; k++) {
      const double centre = now.momentum[k] / now.mass;
      atom->v[i][k] = centre + factor * (atom->v[i][k] - centre);
    }
  work_before += now.kinetic - wanted;
}

/* ---------------------------------------------------------------------- */

double OGNEnergyControl::work() const
{
  double all = 0.0;
  MPI_Allreduce(&work_local, &all, 1, MPI_DOUBLE, MPI_SUM, world);
  return work_before + all;
}

/* ---------------------------------------------------------------------- */

void OGNEnergyControl::write_restart(OGNRestart &state) const
{
  state.has_target = has_target;
  state.target_energy = target;
  state.work = work();
}

/* ---------------------------------------------------------------------- */

void OGNEnergyControl::read_restart(const OGNRestart &state)
{
  has_target = state.has_target;
  target = state.target_energy;
  work_before = state.work;
  work_local = 0.0;
}
