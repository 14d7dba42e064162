/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   The energy of the atoms under fix ogn: `energy rescale` holds the total energy, `langevin` couples to a heat bath,
   and both count the energy that they take out of the atoms
------------------------------------------------------------------------- */

#ifndef VITRIFY_OGN_ENERGY_CONTROL_H
#define VITRIFY_OGN_ENERGY_CONTROL_H

#include "pointers.h"

namespace LAMMPS_NS {

struct OGNRestart;
class OGNSettings;

class OGNEnergyControl : protected Pointers {
public:
  OGNEnergyControl(LAMMPS *lmp, const OGNSettings &settings);

  // the callbacks of the fix

  void init();
  void setup();
  void langevin_half_step(int half);    // before the stride (0) and after it (1)
  void rescale();                       // after the forces are known

  double work() const;    // energy taken out of the atoms of all ranks so far; all ranks must call this
  double target_energy() const { return target; }
  double rescale_factor() const { return factor; }

  void write_restart(OGNRestart &) const;    // all ranks must call this
  void read_restart(const OGNRestart &);

private:
  const OGNSettings &settings;
  class Compute *pe;
  bool has_target;
  double target;         // total energy to hold
  double factor;         // of the last rescaling of velocities
  double work_before;    // work that all ranks have counted,
  double work_local;     // and that this one adds to it
};

}    // namespace LAMMPS_NS

#endif
