/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/borrowed_settings.h"

#include "lammps/host/model_host.h"

#include "atom.h"
#include "comm.h"
#include "force.h"

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

BorrowedSettings::~BorrowedSettings()
{
  if (own_ghost_cutoff >= 0.0 && comm->cutghostuser == own_ghost_cutoff) comm->cutghostuser = user_ghost_cutoff;
  if (own_sort_binsize > 0.0 && atom->userbinsize == own_sort_binsize) atom->userbinsize = 0.0;
}

/* ---------------------------------------------------------------------- */

void BorrowedSettings::borrow()
{
  const double before = comm->cutghostuser;
  host.request_ghosts();
  if (comm->cutghostuser != before) {
    if (before != own_ghost_cutoff) user_ghost_cutoff = before;
    own_ghost_cutoff = comm->cutghostuser;
  }
  if (!force->pair && atom->userbinsize == 0.0) atom->userbinsize = own_sort_binsize = 0.5 * host.model.cutoff;
}
