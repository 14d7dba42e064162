/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/ogn_guard.h"

#include "lammps/ogn/motion.h"
#include "lammps/ogn/ogn_predictor.h"
#include "rules/thermodynamics.h"
#include "rules/validity.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "update.h"

#include <cmath>
#include <limits>

using namespace LAMMPS_NS;

// a rank that could not make its prediction outranks every refusal, and pairs that are told of are none

static constexpr double SEVERITY_OF_FAILURE = std::numeric_limits<double>::infinity();
static constexpr double SEVERITY_OF_CLOSE_PAIRS = 1.0e-3;

/* ---------------------------------------------------------------------- */

OGNGuard::OGNGuard(LAMMPS *lmp, const ModelHost &host, const OGNPredictor &predictor, bool active) :
    Pointers(lmp), host(host), predictor(predictor), active(active),
    limits(host.model.species, host.model.validity.min_distance, host.model.validity.max_displacement,
           host.model.validity.temperature[1]),
    refused(false), close_pairs(false)
{
}

/* ---------------------------------------------------------------------- */

void OGNGuard::check_start(const Motion &start) const
{
  if (start.finite) return;
  tagint mine = MAXTAGINT, first;
  for (int i = 0; i < atom->nlocal; i++) {
    const double *x = atom->x[i];
    const double *v = atom->v[i];
    const double sum = x[0] + x[1] + x[2] + v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
    if (!std::isfinite(sum)) mine = MIN(mine, atom->tag[i]);
  }
  MPI_Allreduce(&mine, &first, 1, MPI_LMP_TAGINT, MPI_MIN, world);
  error->all(FLERR,
             fmt::format("fix ogn: {} at step {}", vitrify::describe_not_finite_before(first), update->ntimestep));
}

/* ---------------------------------------------------------------------- */

double OGNGuard::temperature(const Motion &start) const
{ return vitrify::kinetic_temperature(start.kinetic, static_cast<double>(atom->natoms), force->boltz); }

/* ---------------------------------------------------------------------- */

std::string OGNGuard::refuse_start(const Motion &start) const
{ return active ? limits.refuse_temperature(temperature(start)) : ""; }

/* ---------------------------------------------------------------------- */

std::string OGNGuard::refuse_prediction(const Motion &start, bool wants_reason)
{
  vitrify::Refusal mine;
  struct {
    double severity;
    int rank;
  } local = {SEVERITY_OF_FAILURE, comm->me}, worst;
  if (predictor.failure().empty()) {
    mine = refuse_on_this_rank(start);
    local.severity = mine ? mine.severity : has_close_pairs_on_this_rank() ? SEVERITY_OF_CLOSE_PAIRS : 0.0;
  }
  MPI_Allreduce(&local, &worst, 1, MPI_DOUBLE_INT, MPI_MAXLOC, world);
  close_pairs = worst.severity > 0.0;
  refused = worst.severity > SEVERITY_OF_CLOSE_PAIRS;
  if (!refused) return "";

  if (worst.severity == SEVERITY_OF_FAILURE)
    error->all(FLERR, fmt::format("fix ogn: the prediction of step {} failed: {}", update->ntimestep,
                                  text_of_rank(worst.rank, predictor.failure())));
  if (!wants_reason) return "refused";
  return text_of_rank(worst.rank, comm->me == worst.rank ? describe(mine) : "");
}

/* ---------------------------------------------------------------------- */

vitrify::Refusal OGNGuard::refuse_on_this_rank(const Motion &start) const
{
  const double *dr = predictor.position_changes(), *dv = predictor.velocity_changes();
  if (!active) return vitrify::refuse_not_finite(atom->nlocal, dr, dv);
  double drift[3];
  for (int k = 0; k < 3; k++) drift[k] = update->dt * start.momentum[k] / start.mass;
  return limits.refuse_prediction(atom->nlocal, dr, dv, drift, host.engine->closest());
}

/* ---------------------------------------------------------------------- */

bool OGNGuard::has_close_pairs_on_this_rank() const
{ return vitrify::has_close_pairs(host.engine->closest(), limits.min_distance()); }

/* ---------------------------------------------------------------------- */

std::vector<double> OGNGuard::closest() const
{
  std::vector<double> mine = host.engine->closest();
  const std::size_t nspecies = host.model.species.size();
  mine.resize(nspecies * (nspecies + 1) / 2, std::numeric_limits<double>::infinity());
  std::vector<double> all(mine.size());
  MPI_Allreduce(mine.data(), all.data(), static_cast<int>(mine.size()), MPI_DOUBLE, MPI_MIN, world);
  return all;
}

/* ---------------------------------------------------------------------- */

std::string OGNGuard::describe(const vitrify::Refusal &refusal) const
{
  if (refusal.reason != vitrify::Refusal::Reason::TOO_CLOSE)
    return limits.describe(refusal, refusal.atom < 0 ? 0 : atom->tag[refusal.atom]);

  // engines need not know which atoms are the closest

  const auto [i, j] = predictor.closest_atoms(refusal.first, refusal.second, refusal.value);
  if (i < 0) return limits.describe(refusal, 0, 0);
  return limits.describe(refusal, MIN(atom->tag[i], atom->tag[j]), MAX(atom->tag[i], atom->tag[j]));
}

/* ----------------------------------------------------------------------
   the text that one rank has, on all ranks
------------------------------------------------------------------------- */

std::string OGNGuard::text_of_rank(int rank, std::string text) const
{
  int length = static_cast<int>(text.size());
  MPI_Bcast(&length, 1, MPI_INT, rank, world);
  text.resize(length);
  MPI_Bcast(&text[0], length, MPI_CHAR, rank, world);
  return text;
}
