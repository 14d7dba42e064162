/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   The guard of fix ogn: rules/guard.h decides on each rank, and here all ranks agree on the decision
------------------------------------------------------------------------- */

#ifndef VITRIFY_OGN_GUARD_H
#define VITRIFY_OGN_GUARD_H

#include "pointers.h"

#include "lammps/host/model_host.h"
#include "rules/guard.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class OGNPredictor;
struct Motion;

class OGNGuard : protected Pointers {
public:
  // `active` is false for guard no: then only predictions that are no numbers are refused

  OGNGuard(LAMMPS *lmp, const ModelHost &host, const OGNPredictor &predictor, bool active);

  // true if the model file has limits of distances and displacements

  bool has_all_limits() const { return limits.has_all_limits(); }

  // stop if a position or velocity is no number before the prediction, which nothing can mend

  void check_start(const Motion &start) const;

  // why the state before the prediction is refused, the same on all ranks; empty if it is not

  std::string refuse_start(const Motion &start) const;

  // why the prediction is refused, the same on all ranks; empty if it is not
  // stop if a rank has failed to make it; `wants_reason` is false where the reason will not be reported

  std::string refuse_prediction(const Motion &start, bool wants_reason);

  // of the last prediction, the same on all ranks: whether it was refused; whether a rank has pairs outside of the
  // range of the training data

  bool has_refused() const { return refused; }
  bool has_close_pairs() const { return close_pairs; }

  // of the last prediction, smallest distance of each pair of species on all ranks; all ranks must call this

  std::vector<double> closest() const;

  double temperature(const Motion &) const;    // relative to the centre of mass

private:
  const ModelHost &host;
  const OGNPredictor &predictor;
  const bool active;
  const vitrify::Guard limits;
  bool refused, close_pairs;

  bool has_close_pairs_on_this_rank() const;
  vitrify::Refusal refuse_on_this_rank(const Motion &) const;
  std::string describe(const vitrify::Refusal &) const;
  std::string text_of_rank(int, std::string) const;
};

}    // namespace LAMMPS_NS

#endif
