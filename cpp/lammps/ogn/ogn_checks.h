/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Systems and inputs that fix ogn refuses: every check stops with a message that names the remedy
------------------------------------------------------------------------- */

#ifndef VITRIFY_OGN_CHECKS_H
#define VITRIFY_OGN_CHECKS_H

#include "pointers.h"

#include "lammps/host/model_host.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class OGNSettings;

class OGNChecks : protected Pointers {
public:
  OGNChecks(LAMMPS *lmp, ModelHost &host, const OGNSettings &settings) : Pointers(lmp), host(host), settings(settings)
  {
  }

  // properties that cannot change after the box exists

  void check_system() const;

  // before a run: other commands that the fix cannot run with; `self` is the fix

  void check_run(const class Fix *self) const;

  // that no other fix changes the box that the barostat of `self` controls, and that it can know the pressure

  void check_barostat(const class Fix *self) const;

  // before each stride

  void check_timestep() const;

  // atoms of each species on all ranks, after a check that none is lost, which happens when atoms change ranks
  // all ranks must call this

  std::vector<double> count_atoms() const;

private:
  ModelHost &host;
  const OGNSettings &settings;

  void check_neighbors() const;
  void check_other_fixes(const class Fix *) const;
  void check_box_change(const class Fix *, const std::string &) const;
  bool has_real_pair_style() const;
  void check_energy() const;
};

}    // namespace LAMMPS_NS

#endif
