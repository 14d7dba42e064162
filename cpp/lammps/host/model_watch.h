/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Compares the structures that a style gives to its model with the training data: warns once of each quantity, counts
   structures outside, and stops for what no training covers, unless forced

   the rules are those of rules/validity.h; what is compared must be the same on all ranks
------------------------------------------------------------------------- */

#ifndef VITRIFY_MODEL_WATCH_H
#define VITRIFY_MODEL_WATCH_H

#include "pointers.h"

#include "rules/range_watch.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class ModelHost;

class ModelWatch : protected Pointers {
public:
  // the host has read its model; `forced`: warn instead of stopping; `force`: the words of the input that do so

  ModelWatch(LAMMPS *lmp, const ModelHost &host, bool forced, const char *force);

  // a structure of so many atoms of each species, on all ranks, in the present box

  vitrify::Observed structure(const std::vector<double> &counts) const;

  // warn of a structure that the model has not seen yet

  void warn(const vitrify::Observed &observed);

  // count a structure, and warn

  void count(const vitrify::Observed &observed);

  // stop for two atoms in one place, or swapped elements

  void refuse(const vitrify::Observed &observed);

  // stop for a reason, unless it is empty or this is forced: then warn once

  void refuse(const std::string &reason);

  // a hint at another order of the elements, where it is not certain; empty if there is none

  std::string hint(const vitrify::Observed &observed) const;

  // structures outside so far, and at the last one

  bigint outside() const { return outside_before + watch.outside(); }
  bool was_outside() const { return last_outside; }

  // begin to count for another run; say how many structures of this one were outside, `what` in the plural

  void begin_run();
  void end_run(const std::string &what);

private:
  const ModelHost &host;
  const bool forced;
  const std::string force;
  vitrify::RangeWatch watch;
  bigint outside_before;    // in earlier runs
  bool last_outside, warned_force;

  void print(const std::string &) const;
};

}    // namespace LAMMPS_NS

#endif
