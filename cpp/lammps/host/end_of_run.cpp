/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/host/end_of_run.h"

#include "modify.h"

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

EndOfRun::EndOfRun(LAMMPS *lmp, std::function<void()> action, bool in_each_step) : Pointers(lmp)
{
  int number = 1;
  do id = fmt::format("vitrify_end_of_run_{}", number++);
  while (modify->get_fix_by_id(id));
  auto *fix = dynamic_cast<FixEndOfRun *>(modify->add_fix(fmt::format("{} all {}", id, FixEndOfRun::STYLE), 0));
  if (!fix) return;
  fix->action = std::move(action);
  fix->in_each_step = in_each_step;
  fix->nevery = 1;
}

/* ----------------------------------------------------------------------
   a minimizer may end before its last step, and does not write its output there
------------------------------------------------------------------------- */

void EndOfRun::evaluated()
{
  auto *fix = dynamic_cast<FixEndOfRun *>(modify->get_fix_by_id(id));
  if (!fix) return;
  fix->last_evaluation = update->ntimestep;
  if (update->whichflag == 1 && update->ntimestep == update->laststep) fix->post_run();
}

/* ----------------------------------------------------------------------
   LAMMPS deletes fixes before computes, and users may delete any
------------------------------------------------------------------------- */

EndOfRun::~EndOfRun()
{
  if (modify->get_fix_by_id(id)) modify->delete_fix(id);
}
