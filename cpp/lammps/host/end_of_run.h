/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Calls a function at the end of each run and minimization, whatever ends it, for styles that LAMMPS does not tell of
   it: of all styles, only fixes are told
------------------------------------------------------------------------- */

#ifndef VITRIFY_END_OF_RUN_H
#define VITRIFY_END_OF_RUN_H

#include "fix.h"
#include "pointers.h"

#include <functional>
#include <string>

namespace LAMMPS_NS {

class FixEndOfRun : public Fix {
public:
  static constexpr const char *STYLE = "VITRIFY/END/OF/RUN";    // in capitals, as styles that no input uses

  FixEndOfRun(LAMMPS *lmp, int narg, char **arg) : Fix(lmp, narg, arg) {}

  std::function<void()> action;

  int setmask() override { return 0; }
  void post_run() override
  {
    if (action) action();
  }
};

// adds such a fix for as long as it lives

class EndOfRun : protected Pointers {
public:
  EndOfRun(LAMMPS *lmp, std::function<void()> action);
  ~EndOfRun() override;
  EndOfRun(const EndOfRun &) = delete;
  EndOfRun &operator=(const EndOfRun &) = delete;

private:
  std::string id;
};

}    // namespace LAMMPS_NS

#endif
