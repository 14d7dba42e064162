/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   The state of fix ogn in restart files

   format 3, 8 doubles: 3, has_target (0 or 1), target_energy, work, npredictions, nfallbacks, nchanges, energy_of_box
   format 2, 6 doubles: the same without the last two
   format 1, 5 doubles, of the first versions of vitrify: those of format 2 without the format number, so that the first
double is 0 or 1
------------------------------------------------------------------------- */

#ifndef VITRIFY_OGN_RESTART_H
#define VITRIFY_OGN_RESTART_H

#include "lmptype.h"

#include <cstdio>
#include <string>

namespace LAMMPS_NS {

struct OGNRestart {
  bool has_target = false;       // energy rescale holds a total energy already
  double target_energy = 0.0;    // which is this one, in energy units
  double work = 0.0;             // energy that was taken out of the atoms of all ranks so far, in energy units
  bigint npredictions = 0;       // strides of the model so far
  bigint nfallbacks = 0;         // strides of velocity Verlet so far
  bigint nchanges = 0;           // changes of the box by the barostat so far
  double energy_of_box = 0.0;    // that these have given to the atoms, in energy units

  // write it to a restart file, as a fix does

  void write(FILE *) const;

  // set the state to the doubles in `buffer`; return an error message if they make no sense, otherwise nothing

  std::string unpack(const char *buffer);
};

}    // namespace LAMMPS_NS

#endif
