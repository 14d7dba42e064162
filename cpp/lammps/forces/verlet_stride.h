/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Velocity Verlet with the forces of the pair style, over one timestep of LAMMPS in shorter steps: fix ogn takes a
   stride in this way where its guard refuses the prediction of the model
------------------------------------------------------------------------- */

#ifndef VITRIFY_VERLET_STRIDE_H
#define VITRIFY_VERLET_STRIDE_H

#include "pointers.h"

#include "rules/cell_rescaling.h"

namespace LAMMPS_NS {

class VerletStride : protected Pointers {
public:
  explicit VerletStride(LAMMPS *lmp) : Pointers(lmp) {}

  // stop with a message that begins with `caller` unless all forces come from a pair style

  void check(const char *caller) const;

  // advance all atoms by `nsteps` steps of `dt`; to be called by a fix within its initial_integrate
  // atoms may change ranks, so that per-atom data of the caller are stale afterwards; when they do, the callbacks of
  // all fixes around neighbor lists are called as between two steps: pre_exchange, pre_neighbor and post_neighbor, the
  // caller's own included

  // with `virial`, this rank's part of the pair style's becomes its mean over the steps, both ends counting half

  void run(int nsteps, double dt, vitrify::Symmetric *virial = nullptr);

  // bring ghosts up to date after atoms or the box have changed, and make neighbor lists anew where LAMMPS would;
  // atoms may change ranks

  void update_neighbors();

private:
  void rebuild_neighbors();
  void compute_forces(vitrify::Symmetric *, double);
  void kick(double);
  void drift(double);
};

}    // namespace LAMMPS_NS

#endif
