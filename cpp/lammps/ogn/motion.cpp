/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/motion.h"

#include "atom.h"
#include "force.h"
#include "lammps.h"

#include <cmath>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

Motion LAMMPS_NS::total_motion(LAMMPS *lmp)
{
  const Atom *atom = lmp->atom;
  const double mvv2e = lmp->force->mvv2e;

  double mine[6] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
  for (int i = 0; i < atom->nlocal; i++) {
    const double *x = atom->x[i];
    const double *v = atom->v[i];
    const double mass = atom->mass[atom->type[i]];
    mine[0] += mass * (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    for (int k = 0; k < 3; k++) mine[k + 1] += mass * v[k];
    mine[4] += mass;
    mine[5] += 0.0 * (x[0] + x[1] + x[2]);    // not a number if one of them is not a number
  }
  double all[6];
  MPI_Allreduce(mine, all, 6, MPI_DOUBLE, MPI_SUM, lmp->world);

  const double *p = &all[1];
  Motion result{0.0, 0.0, {p[0], p[1], p[2]}, all[4], std::isfinite(all[0] + all[5])};
  if (result.mass > 0.0)
    result.kinetic_of_centre = 0.5 * mvv2e * (p[0] * p[0] + p[1] * p[1] + p[2] * p[2]) / result.mass;
  result.kinetic = 0.5 * mvv2e * all[0] - result.kinetic_of_centre;
  return result;
}

/* ---------------------------------------------------------------------- */

double LAMMPS_NS::move_by(LAMMPS *lmp, const double *dr, const double *dv, double (&momentum)[3])
{
  const Atom *atom = lmp->atom;
  double kinetic = 0.0;
  for (double &component : momentum) component = 0.0;
  for (int i = 0; i < atom->nlocal; i++, dr += 3, dv += 3) {
    double *x = atom->x[i];
    double *v = atom->v[i];
    const double mass = atom->mass[atom->type[i]];
    for (int k = 0; k < 3; k++) {
      x[k] += dr[k];
      momentum[k] += mass * dv[k];
      kinetic += 0.5 * mass * dv[k] * (2.0 * v[k] + dv[k]);
      v[k] += dv[k];
    }
  }
  return lmp->force->mvv2e * kinetic;
}
