/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/glassvae/energy_driver.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "modify.h"
#include "neighbor.h"
#include "output.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

using namespace LAMMPS_NS;

// fixes that compute the energy of structures that they may reject, among them some with two atoms in one place

static const char *const MOVES[] = {"^gcmc", "^widom", "/swap", "^charge/regulation", "^sgcmc", "^hmc"};

/* ---------------------------------------------------------------------- */

void EnergyDriver::encode()
{
  vitrify::EnergyEngine &engine = *host.energy_engine;
  const vitrify::Configuration configuration = atoms.find();
  check_numbers(atoms.positions.data(), atoms.nowned, 3, "the position");
  attempt([&] {
    engine.use_double(update->whichflag == 2);    // 2: a minimizer, which compares energies
    engine.begin(configuration);
    mine = engine.pooled_features();
  });

  // a rank that fails in the first prediction does not know the length of the sum

  if (npooled == 0) {
    stop_if_failed();
    npooled = mine.size();
  }
  mine.resize(npooled);
  const std::vector<double> counts = atoms.count();
  mine.insert(mine.end(), counts.begin(), counts.end());
  sum_over_ranks();
  counts_of_all.assign(sums.begin() + npooled, sums.begin() + npooled + counts.size());
  attempt([&] { engine.set_pooled(sums.data()); });
}

/* ---------------------------------------------------------------------- */

const std::vector<double> &EnergyDriver::latent()
{
  atoms.hide_excluded_groups();
  encode();
  check_results();
  summary.evaluated();
  return host.energy_engine->latent();
}

/* ---------------------------------------------------------------------- */

void EnergyDriver::begin_run()
{
  trouble.clear();
  watch.begin_run();
  is_first = true;
  tries_moves = std::any_of(std::begin(MOVES), std::end(MOVES),
                            [&](const char *style) { return !modify->get_fix_by_style(style).empty(); });
}

/* ---------------------------------------------------------------------- */

bool EnergyDriver::add_forces(const vitrify::EnergyResult &result)
{
  vitrify::EnergyEngine &engine = *host.energy_engine;
  attempt([&] { mine = engine.pooled_gradient(); });
  mine.resize(npooled);
  sum_over_ranks();
  attempt([&] { engine.finish(sums.data(), result); });
  check_numbers(result.energies, atoms.nowned, 1, "the model's energy");
  check_numbers(result.forces, static_cast<int>(atoms.species.size()), 3, "the model's force");
  if (looks_at_distances())
    check_results();
  else
    compare_with_training({});
  return trouble.empty();
}

/* ----------------------------------------------------------------------
   run `action` of the engine, unless this rank has failed already
------------------------------------------------------------------------- */

template <typename Action> void EnergyDriver::attempt(Action &&action)
{
  std::string message;
  if (trouble.empty()) host.attempt(message, action);
  if (!message.empty()) fail(message);
}

/* ---------------------------------------------------------------------- */

void EnergyDriver::fail(const std::string &message)
{
  trouble = message;
  failed_step = update->ntimestep;
}

/* ----------------------------------------------------------------------
   `sums` becomes the sum of `mine` over all ranks; stop if a rank has failed
------------------------------------------------------------------------- */

void EnergyDriver::sum_over_ranks()
{
  mine.push_back(trouble.empty() ? 0.0 : 1.0);
  sums.resize(mine.size());
  ncollective += 1.0;
  MPI_Allreduce(mine.data(), sums.data(), static_cast<int>(mine.size()), MPI_DOUBLE, MPI_SUM, world);
  if (sums.back() > 0.0) stop_if_failed();
}

/* ----------------------------------------------------------------------
   stop all ranks with the message of one that has failed
------------------------------------------------------------------------- */

void EnergyDriver::stop_if_failed()
{
  ncollective += 1.0;
  std::string message;
  if (!trouble.empty()) message = fmt::format("the prediction of step {} failed: {}", failed_step, trouble);
  trouble.clear();
  host.fail_if(message);
}

/* ----------------------------------------------------------------------
   rows of the first nodes
------------------------------------------------------------------------- */

void EnergyDriver::check_numbers(const double *rows, int nrows, int ncolumns, const std::string &what)
{
  if (!trouble.empty()) return;
  double sum = 0.0;
  for (int k = 0; k < nrows * ncolumns; k++) sum += rows[k];
  if (std::isfinite(sum)) return;
  for (std::size_t i = 0; i < atoms.nodes.size(); i++) {
    const int node = atoms.nodes[i];
    if (node < 0 || node >= nrows) continue;
    for (int k = 0; k < ncolumns; k++) {
      if (std::isfinite(rows[node * ncolumns + k])) continue;
      const tagint name = atom->tag_enable ? atom->tag[i] : static_cast<tagint>(i) + 1;
      fail(fmt::format("{} of atom {} is not a number", what, name));
      return;
    }
  }
}

/* ----------------------------------------------------------------------
   when lists were rebuilt in this step, as in each setup, and when something reads energies or virials of this step,
   such as output, a minimiser or a barostat; the same on all ranks
------------------------------------------------------------------------- */

bool EnergyDriver::looks_at_distances() const
{
  const bigint step = update->ntimestep;
  return update->whichflag == 0 || neighbor->ago == 0 || step == output->next || step == update->eflag_global ||
         step == update->vflag_global;
}

/* ----------------------------------------------------------------------
   stop if a rank has failed, and compare the closest pairs of all ranks with the training data
------------------------------------------------------------------------- */

void EnergyDriver::check_results()
{
  mine = host.energy_engine->closest();
  const std::size_t nspecies = host.model.species.size();
  mine.resize(nspecies * (nspecies + 1) / 2, std::numeric_limits<double>::infinity());
  mine.push_back(trouble.empty() ? 1.0 : 0.0);
  std::vector<double> smallest(mine.size());
  ncollective += 1.0;
  MPI_Allreduce(mine.data(), smallest.data(), static_cast<int>(mine.size()), MPI_DOUBLE, MPI_MIN, world);
  if (smallest.back() == 0.0) stop_if_failed();
  smallest.pop_back();
  compare_with_training(smallest);
}

/* ----------------------------------------------------------------------
   closest pairs of all ranks, or none if they are not known
------------------------------------------------------------------------- */

void EnergyDriver::compare_with_training(const std::vector<double> &closest)
{
  vitrify::Observed structure = watch.structure(counts_of_all);
  structure.closest = closest;
  if (!tries_moves || is_first) watch.refuse(structure);
  is_first = false;
  watch.count(structure);
}

/* ---------------------------------------------------------------------- */

std::size_t EnergyDriver::bytes() const
{ return host.energy_engine->bytes() + atoms.bytes() + sizeof(double) * (mine.capacity() + sums.capacity()); }
