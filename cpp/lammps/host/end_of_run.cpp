/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/host/end_of_run.h"

#include "modify.h"

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

EndOfRun::EndOfRun(LAMMPS *lmp, std::function<void()> action) : Pointers(lmp)
{
  int number = 1;
  do id = fmt::format("vitrify_end_of_run_{}", number++);
  while (modify->get_fix_by_id(id));
  auto *fix = dynamic_cast<FixEndOfRun *>(modify->add_fix(fmt::format("{} all {}", id, FixEndOfRun::STYLE), 0));
  if (fix) fix->action = std::move(action);
}

/* ----------------------------------------------------------------------
   LAMMPS deletes fixes before computes, and users may delete any
------------------------------------------------------------------------- */

EndOfRun::~EndOfRun()
{
  if (modify->get_fix_by_id(id)) modify->delete_fix(id);
}
