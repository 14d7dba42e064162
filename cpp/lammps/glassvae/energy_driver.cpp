/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/glassvae/energy_driver.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "update.h"

#include <cmath>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

const std::vector<double> &EnergyDriver::encode()
{
  vitrify::EnergyEngine &engine = *host.energy_engine;
  trouble.clear();
  const vitrify::Configuration configuration = atoms.find();
  check_numbers(atoms.positions.data(), atoms.nowned, 3, "the position");
  std::vector<double> mine;
  host.attempt(trouble, [&] {
    engine.begin(configuration);
    mine = engine.pooled_features();
  });
  stop_if_in_trouble();
  const std::size_t ntotals = mine.size();
  const std::vector<double> counts = atoms.count();
  mine.insert(mine.end(), counts.begin(), counts.end());
  add_up(mine);
  if (!warned_range) warned_range = atoms.warn_if_outside({sums.begin() + ntotals, sums.end()});
  host.attempt(trouble, [&] { engine.set_pooled(sums.data()); });
  stop_if_in_trouble();
  return engine.latent();
}

/* ---------------------------------------------------------------------- */

void EnergyDriver::finish(const vitrify::EnergyResult &result)
{
  vitrify::EnergyEngine &engine = *host.energy_engine;
  std::vector<double> mine;
  host.attempt(trouble, [&] { mine = engine.pooled_gradient(); });
  stop_if_in_trouble();
  add_up(mine);
  host.attempt(trouble, [&] { engine.finish(sums.data(), result); });
  check_numbers(result.energies, atoms.nowned, 1, "the model's energy");
  check_numbers(result.forces, static_cast<int>(atoms.species.size()), 3, "the model's force");
  stop_if_in_trouble();
  if (!warned_close && !host.model.validity.min_distance.empty()) warn_of_distances();
}

/* ---------------------------------------------------------------------- */

void EnergyDriver::add_up(std::vector<double> mine)
{
  sums.resize(mine.size());
  MPI_Allreduce(mine.data(), sums.data(), static_cast<int>(mine.size()), MPI_DOUBLE, MPI_SUM, world);
}

/* ----------------------------------------------------------------------
   before a reduction, so that no rank waits for one that has failed
------------------------------------------------------------------------- */

void EnergyDriver::stop_if_in_trouble()
{
  if (!trouble.empty()) trouble = fmt::format("the prediction of step {} failed: {}", update->ntimestep, trouble);
  host.fail_if(trouble);
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
      trouble = fmt::format("{} of atom {} is not a number", what, name);
      return;
    }
  }
}

/* ---------------------------------------------------------------------- */

void EnergyDriver::warn_of_distances()
{
  const std::vector<double> &least = host.model.validity.min_distance, &mine = host.energy_engine->closest();
  std::vector<double> closest(mine.size());
  MPI_Allreduce(mine.data(), closest.data(), static_cast<int>(mine.size()), MPI_DOUBLE, MPI_MIN, world);
  const std::vector<std::string> &species = host.model.species;
  std::string what;
  for (int a = 0; a < static_cast<int>(species.size()); a++)
    for (int b = 0; b <= a; b++) {
      const std::size_t pair = vitrify::pair_of_species(a, b);
      if (closest[pair] < least[pair])
        what += fmt::format("{}{}-{} {:.4g}, in the training data at least {:.4g}", what.empty() ? "" : "; ",
                            species[b], species[a], closest[pair], least[pair]);
    }
  if (what.empty()) return;
  warned_close = true;
  if (comm->me == 0)
    error->warning(FLERR, fmt::format("{}: at step {} atoms are closer than any in the training data, and their forces "
                                      "are an extrapolation: {}",
                                      host.style, update->ntimestep, what));
}

/* ---------------------------------------------------------------------- */

std::size_t EnergyDriver::bytes() const
{ return host.energy_engine->bytes() + atoms.bytes() + sizeof(double) * sums.capacity(); }
