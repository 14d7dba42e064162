/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Lets LAMMPS compute the pair style only in the timesteps in which something reads energies, forces or the virial

   a learned stride does not read forces, but LAMMPS computes the pair style in each timestep; between pre_force and
   pre_reverse of a timestep that nobody reads, a pair style that does nothing takes its place
------------------------------------------------------------------------- */

#ifndef VITRIFY_PAIR_ON_DEMAND_H
#define VITRIFY_PAIR_ON_DEMAND_H

#include "pointers.h"

#include <string>

namespace LAMMPS_NS {

class NoForces;

class PairOnDemand : protected Pointers {
public:
  explicit PairOnDemand(LAMMPS *lmp);
  ~PairOnDemand() override;

  // before a run; `every`: in each timestep, as LAMMPS does without this class

  void begin_run(bool every);

  // to be called by pre_force and pre_reverse of a fix

  void pre_force();
  void pre_reverse();

  // to be called by post_force: forces that were not computed are no numbers, so that nobody takes them for zeros

  void post_force() const;

  // what to say at the end of a run, of the timesteps since the last call; empty if the pair style was computed in each

  std::string end_run();

  // timesteps so far in which the pair style was computed

  bigint computed() const { return ncomputed; }

private:
  bool every;               // compute it in each timestep of this run
  NoForces *no_forces;      // takes the place of the real pair style
  class Pair *hidden;       // the real pair style meanwhile, or null
  bool skipped;             // in this timestep
  bigint ncomputed;         // timesteps so far with
  bigint nrun, nskipped;    // timesteps of this run, and those without

  bool can_be_skipped() const;
  bool is_read() const;
};

}    // namespace LAMMPS_NS

#endif
