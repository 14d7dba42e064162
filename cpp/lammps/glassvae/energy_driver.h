/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Runs an energy engine on the atoms of all ranks: adds up its pooled features and their gradient, and warns of
   structures that are unlike the training data

   Each of the two sums also carries the number of ranks that have failed, so that all ranks stop together without a
   collective call of its own. A rank that fails after the second sum reports it in the same step if lists were rebuilt
   or something reads energies or virials, which is when distances are looked at as well, and otherwise with the first
   sum of the next prediction.
------------------------------------------------------------------------- */

#ifndef VITRIFY_ENERGY_DRIVER_H
#define VITRIFY_ENERGY_DRIVER_H

#include "pointers.h"

#include "engines/energy_engine.h"
#include "lammps/host/end_of_run.h"
#include "lammps/host/model_host.h"
#include "lammps/host/model_nodes.h"
#include "lammps/host/model_watch.h"

#include <cstddef>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class EnergyDriver : protected Pointers {
public:
  // in_each_step: as a pair style; a compute is evaluated when output asks for it

  EnergyDriver(LAMMPS *lmp, ModelHost &host, bool in_each_step) :
      Pointers(lmp), atoms(lmp, host), watch(lmp, host, host.forced, "force yes"), ncollective(0.0), host(host),
      npooled(0), failed_step(0), summary(lmp, [this] { watch.end_run("steps"); }, in_each_step)
  {
  }

  ModelNodes atoms;
  ModelWatch watch;

  // compute z of the current atoms; all ranks must call this and the next two methods, also ranks without atoms

  void encode();

  // the same, and stop at once if a rank has failed to compute it; returns z

  const std::vector<double> &latent();

  // after encode: add energies, forces and virial of the model to the arrays, which hold zeros
  // returns false if they are not to be used, because this rank has failed

  bool add_forces(const vitrify::EnergyResult &result);

  // this rank cannot compute this step, and all will stop together

  void fail(const std::string &message);

  // before a run: what failed in an earlier one, which ended before it was reported, counts no longer

  void begin_run();

  // number of sums and other collective calls so far

  double ncollective;

  std::size_t bytes() const;

private:
  ModelHost &host;
  std::size_t npooled;                  // number of pooled features, 0 before the first prediction
  std::vector<double> counts_of_all;    // atoms of each species on all ranks, at the last prediction
  std::vector<double> mine, sums;       // what this rank adds to a sum, and the sum over all ranks
  std::string trouble;                  // what went wrong on this rank, in the prediction of this step
  bigint failed_step;
  bool is_first = true, tries_moves = false;    // of a run: no structure yet, and fixes that may reject structures
  EndOfRun summary;

  template <typename Action> void attempt(Action &&);
  void sum_over_ranks();
  void stop_if_failed();
  void check_numbers(const double *, int, int, const std::string &);
  bool looks_at_distances() const;
  void check_results();
  void compare_with_training(const std::vector<double> &);
};

}    // namespace LAMMPS_NS

#endif
