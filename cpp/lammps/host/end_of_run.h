/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Calls a function at the end of each run and minimization, whatever ends it, for styles that LAMMPS does not tell of
   it: of all styles, only fixes are told
------------------------------------------------------------------------- */

#ifndef VITRIFY_END_OF_RUN_H
#define VITRIFY_END_OF_RUN_H

#include "fix.h"
#include "pointers.h"
#include "update.h"

#include <functional>
#include <string>

namespace LAMMPS_NS {

class FixEndOfRun : public Fix {
public:
  static constexpr const char *STYLE = "VITRIFY/END/OF/RUN";    // in capitals, as styles that no input uses

  FixEndOfRun(LAMMPS *lmp, int narg, char **arg) : Fix(lmp, narg, arg) {}

  std::function<void()> action;
  bool before_output = false;

  int setmask() override { return FixConst::END_OF_STEP; }
  void end_of_step() override
  {
    if (before_output && update->ntimestep == update->laststep) post_run();
  }
  void post_run() override
  {
    if (action) action();
  }
};

// adds such a fix for as long as it lives

class EndOfRun : protected Pointers {
public:
  // before_output: call it before the last thermo output, too, where the last step of a run is known: what it prints
  // shall not stand between that output and the line of the loop time, where scripts look for the last row

  EndOfRun(LAMMPS *lmp, std::function<void()> action, bool before_output = false);
  ~EndOfRun() override;
  EndOfRun(const EndOfRun &) = delete;
  EndOfRun &operator=(const EndOfRun &) = delete;

private:
  std::string id;
};

}    // namespace LAMMPS_NS

#endif
