/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Settings of LAMMPS that fix ogn changes, and puts back when it is deleted, unless a later command has changed them
------------------------------------------------------------------------- */

#ifndef VITRIFY_BORROWED_SETTINGS_H
#define VITRIFY_BORROWED_SETTINGS_H

#include "pointers.h"

namespace LAMMPS_NS {

class ModelHost;

class BorrowedSettings : protected Pointers {
public:
  BorrowedSettings(LAMMPS *lmp, ModelHost &host) : Pointers(lmp), host(host) {}
  ~BorrowedSettings() override;

  // before a run: ghosts up to the model's cutoff plus the skin, whatever the pair style needs, and bins to sort atoms
  // in, which LAMMPS lacks without a pair style, so that a long run would lose their order in memory

  void borrow();

private:
  ModelHost &host;
  double user_ghost_cutoff = 0.0, own_ghost_cutoff = -1.0;    // of comm_modify cutoff; own: -1.0 while not changed
  double own_sort_binsize = 0.0;                              // of atom_modify sort; 0.0 while not changed
};

}    // namespace LAMMPS_NS

#endif
