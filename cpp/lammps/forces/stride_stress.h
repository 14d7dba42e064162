/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Where a barostat gets the virial from
------------------------------------------------------------------------- */

#ifndef VITRIFY_STRIDE_STRESS_H
#define VITRIFY_STRIDE_STRESS_H

#include "pointers.h"

#include "rules/cell_rescaling.h"

namespace LAMMPS_NS {

class StrideStress : protected Pointers {
public:
  explicit StrideStress(LAMMPS *lmp) : Pointers(lmp) {}

  // announce that the virial of a timestep, the present one or a later one, will be asked for when it is known

  virtual void ask(bigint step) = 0;

  // pressure times volume without the kinetic part, in energy units, of all atoms in the present timestep
  // all ranks must call this, and all get the same

  virtual vitrify::Symmetric virial() = 0;
};

}    // namespace LAMMPS_NS

#endif
