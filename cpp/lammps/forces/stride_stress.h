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

  // for a virial that comes with the stride: whether that to this timestep is asked for, and this rank's part of it

  virtual bool is_asked(bigint /*step*/) const { return false; }
  virtual void take(const vitrify::Symmetric & /*of_rank*/) {}
};

}    // namespace LAMMPS_NS

#endif
