/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/host/model_nodes.h"

#include "lammps/host/model_host.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "update.h"

#include <numeric>

using namespace LAMMPS_NS;

// the range of the training data may be a single point, which no other structure would match to the last digit

static constexpr double COMPOSITION_MARGIN = 0.01;
static constexpr double DENSITY_MARGIN = 0.01;    // relative

/* ---------------------------------------------------------------------- */

vitrify::Configuration ModelNodes::find()
{
  const int nall = atom->nlocal + atom->nghost;
  nodes.resize(nall);
  species.clear();
  positions.clear();
  for (int i = 0; i < nall; i++) {
    if (i == atom->nlocal) nowned = static_cast<int>(species.size());
    const int s = atom->mask[i] & hidden ? -1 : host.species_of_type[atom->type[i]];
    nodes[i] = s < 0 ? -1 : static_cast<int>(species.size());
    if (s < 0) continue;
    species.push_back(s);
    positions.insert(positions.end(), atom->x[i], atom->x[i] + 3);
  }
  if (nall == atom->nlocal) nowned = static_cast<int>(species.size());

  vitrify::Configuration configuration;
  configuration.n_owned = nowned;
  configuration.n_nodes = static_cast<int>(species.size());
  configuration.types = species.data();
  configuration.positions = positions.data();
  return configuration;
}

/* ---------------------------------------------------------------------- */

std::vector<double> ModelNodes::count() const
{
  std::vector<double> counts(host.model.species.size(), 0.0);
  for (int node = 0; node < nowned; node++) counts[species[node]] += 1.0;
  return counts;
}

/* ---------------------------------------------------------------------- */

bool ModelNodes::warn_if_outside(const std::vector<double> &counts) const
{
  const std::string what = outside(counts);
  if (what.empty()) return false;
  if (comm->me == 0)
    error->warning(FLERR, fmt::format("{}: the structure at step {} is unlike the training data, and the model "
                                      "extrapolates: {}",
                                      host.style, update->ntimestep, what));
  return true;
}

/* ----------------------------------------------------------------------
   the density means something if no atoms are left out and the box has no surfaces
------------------------------------------------------------------------- */

std::string ModelNodes::outside(const std::vector<double> &counts) const
{
  const vitrify::Validity &range = host.model.validity;
  const double natoms = std::accumulate(counts.begin(), counts.end(), 0.0);
  if (natoms == 0.0) return "";

  std::string what;
  const auto compare = [&what](const std::string &name, double found, double low, double high, double margin) {
    if (found >= low - margin && found <= high + margin) return;
    what += fmt::format("{}{} is {:.4g}, outside {:.4g} to {:.4g}", what.empty() ? "" : "; ", name, found, low, high);
  };
  for (std::size_t s = 0; s < counts.size(); s++)
    compare("the fraction of " + host.model.species[s], counts[s] / natoms, range.composition[s][0],
            range.composition[s][1], COMPOSITION_MARGIN);
  if (natoms == static_cast<double>(atom->natoms) && domain->xperiodic && domain->yperiodic && domain->zperiodic) {
    const double volume = domain->xprd * domain->yprd * domain->zprd;
    compare("the number density", natoms / volume, range.number_density[0], range.number_density[1],
            DENSITY_MARGIN * range.number_density[1]);
  }
  return what;
}

/* ---------------------------------------------------------------------- */

std::size_t ModelNodes::bytes() const
{ return sizeof(int) * (nodes.capacity() + species.capacity()) + sizeof(double) * positions.capacity(); }
