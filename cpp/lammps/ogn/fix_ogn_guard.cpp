/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   The guard of fix ogn: strides that a model cannot be trusted with are refused or taken by velocity Verlet
------------------------------------------------------------------------- */

#include "lammps/ogn/fix_ogn.h"

#include "lammps/ogn/verlet_stride.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "update.h"

#include <algorithm>
#include <cmath>

using namespace LAMMPS_NS;

// Training data are finite: longer runs and larger systems meet closer pairs, faster atoms and hotter moments without
// being wrong. Extremes grow with the logarithm of the number of samples, so that factors this close to 1 suffice.
//
// 0.9: a repulsion r^-12 is 3.5 times as high there as at the closest pair of 1e5 to 1e8, which costs T log(1e5) or
// more
static constexpr double CLOSEST = 0.9;
// 1.5: 5 standard deviations of the thermal velocity in the training data become 7.5; in between the model extrapolates
static constexpr double FARTHEST = 1.5;
// 1.5: 5 standard deviations of the temperature of 67 atoms, and more for more of them; above the highest of the data
static constexpr double HOTTEST = 1.5;

// refusals of one run that are logged one by one

static constexpr bigint NLOGGED = 10;

static const std::string REMEDY =
    ": start from a state like those that the model was trained on, let guard yes fallback M with the real pair style "
    "take such strides, or go on with guard no";

/* ----------------------------------------------------------------------
   a start that is no number is beyond any remedy; all ranks know it
------------------------------------------------------------------------- */

void FixOGN::check_start(const Motion &start)
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
  error->all(FLERR, fmt::format("fix ogn: position or velocity of atom {} is not a number before the prediction at "
                                "step {}",
                                first, update->ntimestep));
}

/* ----------------------------------------------------------------------
   temperature relative to the center of mass; the same on all ranks
------------------------------------------------------------------------- */

std::string FixOGN::too_hot(const Motion &start)
{
  const double dof = MAX(3.0, 3.0 * static_cast<double>(atom->natoms) - 3.0);
  const double temperature = 2.0 * start.kinetic / (dof * force->boltz);
  const double highest = model.validity.temperature[1];
  if (temperature <= HOTTEST * highest) return "";
  return fmt::format("temperature {:.6g} is above {} times the {:.6g} that the model is valid up to", temperature,
                     HOTTEST, highest);
}

/* ----------------------------------------------------------------------
   why the prediction is not to be used, the same on all ranks, or nothing
------------------------------------------------------------------------- */

std::string FixOGN::refuse(const Motion &start)
{
  Refusal mine = refuse_changes(start);
  if (guard_flag) {
    const Refusal distances = refuse_distances();
    if (distances.severity > mine.severity) mine = distances;
  }

  struct {
    double severity;
    int rank;
  } local = {mine.severity, comm->me}, worst;
  MPI_Allreduce(&local, &worst, 1, MPI_DOUBLE_INT, MPI_MAXLOC, world);
  if (worst.severity == 0.0) return "";
  if (!is_reported()) return "refused";

  std::string reason = comm->me == worst.rank ? describe(mine) : "";
  int length = static_cast<int>(reason.size());
  MPI_Bcast(&length, 1, MPI_INT, worst.rank, world);
  reason.resize(length);
  MPI_Bcast(&reason[0], length, MPI_CHAR, worst.rank, world);
  return reason;
}

/* ----------------------------------------------------------------------
   pairs that are closer than in the training data: causes rank before their consequences
------------------------------------------------------------------------- */

FixOGN::Refusal FixOGN::refuse_distances()
{
  const std::vector<double> &smallest = model.validity.min_distance;
  const std::vector<double> &found = host.engine->closest();
  Refusal worst;
  if (smallest.empty()) return worst;
  for (int a = 0; a < static_cast<int>(model.species.size()); a++) {
    for (int b = 0; b <= a; b++) {
      const std::size_t pair = vitrify::pair_of_species(a, b);
      const double ratio = CLOSEST * smallest[pair] / found[pair];
      if (ratio > 1.0 && 1.0e6 * ratio > worst.severity) worst = {1.0e6 * ratio, Refusal::CLOSE, a, b, found[pair]};
    }
  }
  return worst;
}

/* ----------------------------------------------------------------------
   predictions that are no numbers (an error without the guard, too), or move an atom too far
------------------------------------------------------------------------- */

FixOGN::Refusal FixOGN::refuse_changes(const Motion &start)
{
  double drift[3];
  for (int k = 0; k < 3; k++) drift[k] = update->dt * start.momentum[k] / start.mass;

  double farthest = 0.0;
  int ifarthest = -1;
  for (int i = 0; i < atom->nlocal; i++) {
    const double *dri = &dr[3 * static_cast<std::size_t>(i)];
    const double *dvi = &dv[3 * static_cast<std::size_t>(i)];
    double rsq = 0.0;
    for (int k = 0; k < 3; k++) rsq += (dri[k] - drift[k]) * (dri[k] - drift[k]);
    if (!std::isfinite(rsq + dvi[0] + dvi[1] + dvi[2])) return {2.0e5, Refusal::NOT_FINITE, i, 0, 0.0};
    if (rsq > farthest) {
      farthest = rsq;
      ifarthest = i;
    }
  }
  const double largest = model.validity.max_displacement;
  if (!guard_flag || largest == 0.0 || std::sqrt(farthest) <= FARTHEST * largest) return {};
  return {MIN(std::sqrt(farthest) / largest, 1.0e5), Refusal::FAR, ifarthest, 0, std::sqrt(farthest)};
}

/* ---------------------------------------------------------------------- */

std::string FixOGN::describe(const Refusal &refusal)
{
  const int a = refusal.first, b = refusal.second;
  switch (refusal.what) {
    case Refusal::NOT_FINITE:
      return fmt::format("position or velocity of atom {} is not a number after the prediction", atom->tag[a]);
    case Refusal::FAR:
      return fmt::format("the prediction moves atom {} by {:.6g}, above {} times the {:.6g} of the training data",
                         atom->tag[a], refusal.value, FARTHEST, model.validity.max_displacement);
    default:
      return fmt::format("{} ({} and {}) are {:.6g} apart, below {} times the {:.6g} of the training data",
                         closest_atoms(a, b, refusal.value), model.species[b], model.species[a], refusal.value, CLOSEST,
                         model.validity.min_distance[vitrify::pair_of_species(a, b)]);
  }
}

/* ----------------------------------------------------------------------
   the closest pair of species a and b, which is `distance` apart: engines need not know it
   sweeps through the atoms along x
------------------------------------------------------------------------- */

std::string FixOGN::closest_atoms(int a, int b, double distance)
{
  double **x = atom->x;
  std::vector<int> order;
  for (int i = 0; i < atom->nlocal + atom->nghost; i++)
    if (species[i] == a || species[i] == b) order.push_back(i);
  std::sort(order.begin(), order.end(), [x](int i, int j) { return x[i][0] < x[j][0]; });

  const double reach = distance * (1.0 + 1.0e-5);    // engines may measure in single precision
  double smallest = reach * reach;
  tagint first = 0, second = 0;
  for (std::size_t m = 0; m < order.size(); m++) {
    const int i = order[m];
    for (std::size_t n = m + 1; n < order.size() && x[order[n]][0] - x[i][0] <= reach; n++) {
      const int j = order[n];
      if (MAX(species[i], species[j]) != a || MIN(species[i], species[j]) != b) continue;
      if (i >= atom->nlocal && j >= atom->nlocal) continue;
      double rsq = 0.0;
      for (int k = 0; k < 3; k++) rsq += (x[i][k] - x[j][k]) * (x[i][k] - x[j][k]);
      if (rsq > smallest) continue;
      smallest = rsq;
      first = MIN(atom->tag[i], atom->tag[j]);
      second = MAX(atom->tag[i], atom->tag[j]);
    }
  }
  return fmt::format("atoms {} and {}", first, second);
}

/* ----------------------------------------------------------------------
   a refused stride is an error, or one of the first that the fallback takes in a run
------------------------------------------------------------------------- */

bool FixOGN::is_reported() const
{ return !fallback_steps || nfallbacks_of_run < NLOGGED; }

/* ----------------------------------------------------------------------
   the whole stride in steps of velocity Verlet, from where it began; nothing has moved yet
------------------------------------------------------------------------- */

void FixOGN::fall_back(const std::string &reason)
{
  if (!fallback_steps)
    error->all(FLERR, fmt::format("fix ogn: {} at step {}{}", reason, update->ntimestep, guard_flag ? REMEDY : ""));
  if (comm->me == 0 && is_reported())
    utils::logmesg(lmp, "fix ogn: {} at step {}: stride taken in {} steps of velocity Verlet{}\n", reason,
                   update->ntimestep, fallback_steps,
                   nfallbacks_of_run == NLOGGED - 1 ? "; further ones are counted, not reported" : "");

  const Motion before = motion();
  VerletStride(lmp).run(fallback_steps, update->dt / fallback_steps);
  const Motion after = motion();

  // sums over all ranks: one of them counts them

  for (int k = 0; k < 3; k++) momentum_local[k] = comm->me == 0 ? after.momentum[k] - before.momentum[k] : 0.0;
  kinetic_local = comm->me == 0 ? after.kinetic - before.kinetic : 0.0;
  ++nfallbacks;
  ++nfallbacks_of_run;
}

/* ---------------------------------------------------------------------- */

void FixOGN::post_run()
{
  if (comm->me == 0 && nfallbacks_of_run > 0)
    utils::logmesg(lmp, "fix ogn: {} strides of this run were taken by velocity Verlet\n", nfallbacks_of_run);
  nfallbacks_of_run = 0;
}
