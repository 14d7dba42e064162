/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Kinetic energy and momentum of the whole system
------------------------------------------------------------------------- */

#ifndef VITRIFY_MOTION_H
#define VITRIFY_MOTION_H

namespace LAMMPS_NS {

class LAMMPS;

struct Motion {
  double kinetic;              // kinetic energy relative to the centre of mass, in energy units
  double kinetic_of_centre;    // kinetic energy of the centre of mass, in energy units
  double momentum[3];          // mass times velocity
  double mass;                 // total mass
  bool finite;                 // all positions and velocities are numbers
};

// sums over the atoms of all ranks, which all ranks get; all ranks must call this

Motion total_motion(LAMMPS *lmp);

// move the atoms of this rank by changes of position and velocity (nlocal, 3)
// returns the kinetic energy that this adds, and sets the momentum

double move_by(LAMMPS *lmp, const double *dr, const double *dv, double (&momentum)[3]);

}    // namespace LAMMPS_NS

#endif
