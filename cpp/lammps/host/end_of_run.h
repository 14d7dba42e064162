/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Calls a function at the end of each run and minimization, whatever ends it, for styles that LAMMPS does not tell of
   it: of all styles, only fixes are told
------------------------------------------------------------------------- */

#ifndef VITRIFY_END_OF_RUN_H
#define VITRIFY_END_OF_RUN_H

#include "fix.h"
#include "output.h"
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
  bool in_each_step = true;
  bigint last_evaluation = -1;

  int setmask() override { return FixConst::END_OF_STEP; }
  void end_of_step() override
  {
    if (update->ntimestep == update->laststep && !output_evaluates()) post_run();
  }
  void post_run() override
  {
    if (action) action();
  }

private:
  // whether the output of this step may ask for an evaluation: thermo output that does has done so in its last row, and
  // dumps, which come after thermo output, do so in any case

  bool output_evaluates() const
  { return !in_each_step && (last_evaluation >= output->last_thermo || output->next_dump_any == update->ntimestep); }
};

// adds such a fix for as long as it lives
// where the last step of a run is known, the function is called before the last thermo output, too: what it prints
// shall not stand between that output and the line of the loop time, where scripts look for the last row

class EndOfRun : protected Pointers {
public:
  // in_each_step: the style is evaluated before the output of a step, as a pair style is, and not by this output

  EndOfRun(LAMMPS *lmp, std::function<void()> action, bool in_each_step);
  ~EndOfRun() override;

  // after each evaluation of a style that output evaluates

  void evaluated();

  EndOfRun(const EndOfRun &) = delete;
  EndOfRun &operator=(const EndOfRun &) = delete;

private:
  std::string id;
};

}    // namespace LAMMPS_NS

#endif
