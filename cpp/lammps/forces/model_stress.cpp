/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/forces/model_stress.h"

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

vitrify::Symmetric ModelStress::virial()
{
  vitrify::Symmetric all;
  MPI_Allreduce(mine.data(), all.data(), static_cast<int>(all.size()), MPI_DOUBLE, MPI_SUM, world);
  return all;
}
