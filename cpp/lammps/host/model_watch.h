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

  // count a structure, unless one of this step has been counted, and warn

  void count(const vitrify::Observed &observed);

  // stop for two atoms in one place, or swapped elements

  void refuse(const vitrify::Observed &observed);

  // stop for a reason about the prediction, unless it is empty

  void refuse(const std::string &reason) { stop(PREDICTION, reason); }

  // a hint at another order of the elements, where it is not certain; empty if there is none

  std::string hint(const vitrify::Observed &observed) const;

  // structures outside so far, and at the last one

  bigint outside() const { return outside_before + watch.outside(); }
  bool was_outside() const { return last_outside; }

  // begin to count for another run; at its end, however that comes, say how many structures were outside, `what` in
  // the plural, and begin to count anew, because `run N pre no` goes on without the beginning of a run

  void begin_run();
  void end_run(const std::string &what);

private:
  const ModelHost &host;
  const bool forced;
  const std::string force;
  vitrify::RangeWatch watch;
  bigint outside_before;    // in earlier runs
  bigint counted_step;      // last one since the beginning of a run, or -1
  bool last_outside;
  enum Reason { PLACE, ORDER, PREDICTION, NREASONS };
  bool warned_of[NREASONS];

  void restart_counts();
  void stop(Reason, const std::string &);
  void print(const std::string &) const;
};

}    // namespace LAMMPS_NS

#endif
