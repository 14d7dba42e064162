/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/symgnn/compute_symgnn_atom.h"

#include "rules/predictions.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "pair.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace LAMMPS_NS;

// Labels belong to structures at a minimum of the energy. Above these limits a structure is not at a minimum:
// minimizers reach forces that are orders of magnitude lower, and atoms on springs of a few eV/A^2 feel some tenths of
// eV/A at room temperature.
static constexpr double LARGEST_FORCE_METAL = 0.05;         // eV/A
static constexpr double LARGEST_FORCE_LJ = 0.1;             // epsilon/sigma
static constexpr double LARGEST_TEMPERATURE_METAL = 1.0;    // K
static constexpr double LARGEST_TEMPERATURE_LJ = 1.0e-3;    // epsilon/k

// property, standard deviation, and 1 for atoms whose deviation is larger than for 99% of the training data

static constexpr int NCOLUMNS = 3;

// between two runs, atoms may have come or gone since ghosts were chosen

static const char *STALE = "the number of atoms has changed since the last run: use run 0 first";

/* ---------------------------------------------------------------------- */

ComputeSymGNNAtom::ComputeSymGNNAtom(LAMMPS *lmp, int narg, char **arg) :
    Compute(lmp, narg, arg), host(lmp, "compute symgnn/atom", "symgnn"), model(host.model), nmax(0),
    warned_motion(false), atoms(lmp, host)
{
  peratom_flag = 1;
  scalar_flag = 1;
  extscalar = 0;
  size_peratom_cols = NCOLUMNS;

  host.read_arguments(3, narg, arg, {ModelHost::FORCE}, true,
                      [this](int iarg, int n, char **words) { return host.read_force(iarg, n, words); });
  host.check_system();
  watch.reset(new ModelWatch(lmp, host, host.forced, "force yes"));
  summary.reset(new EndOfRun(lmp, [this] { watch->end_run("evaluations"); }, false));
  comm_forward = host.engine->width();
  if (comm->me == 0)
    utils::logmesg(lmp, "compute symgnn/atom: {}{}{}, engine {}, variant {}, {}, cutoff {}; types {}\n", model.property,
                   model.unit.empty() ? "" : " in ", model.unit, host.engine_name, model.variant, model.dtype,
                   model.cutoff, host.mapping);
}

/* ---------------------------------------------------------------------- */

ComputeSymGNNAtom::~ComputeSymGNNAtom()
{ memory->destroy(array_atom); }

/* ---------------------------------------------------------------------- */

void ComputeSymGNNAtom::init()
{
  host.request_ghosts();
  atoms.check_exclusions();
  watch->begin_run();
}

/* ----------------------------------------------------------------------
   positions of ghosts are current, because LAMMPS has communicated them since the last move, except that fix deform
   moves the owned atoms alone at the end of a step
   pairs are searched for here, because LAMMPS's lists leave out pairs that neigh_modify exclude names, of atoms that
   are there all the same, hold pairs with atoms that the model must not see, and do not exist without a pair style
------------------------------------------------------------------------- */

void ComputeSymGNNAtom::compute_peratom()
{
  invoked_peratom = update->ntimestep;
  if (domain->box_change && update->whichflag != 0) comm->forward_comm();
  tagint mine = first_bad_atom(atom->x, 3), first = 0;
  MPI_Allreduce(&mine, &first, 1, MPI_LMP_TAGINT, MPI_MIN, world);
  check_numbers(first, "the position");
  predict();
  if (!warned_motion) warn_of_motion();
  store();
  compare_with_training();
  summary->evaluated();
}

/* ---------------------------------------------------------------------- */

double ComputeSymGNNAtom::compute_scalar()
{
  invoked_scalar = update->ntimestep;
  scalar = static_cast<double>(watch->outside());
  return scalar;
}

/* ----------------------------------------------------------------------
   a rank without atoms takes part in every exchange
------------------------------------------------------------------------- */

void ComputeSymGNNAtom::predict()
{
  atoms.hide_excluded_groups();
  vitrify::Configuration configuration = atoms.find();
  values.resize(atoms.nowned);
  deviations.resize(atoms.nowned);

  trouble.clear();
  host.attempt(trouble, [&] {
    if (host.engine->needs_lists()) half_list.build(configuration, model.cutoff);
    host.engine->begin(configuration);
  });
  for (int index = 0; index < model.layers; index++) {
    host.attempt(trouble, [&] { host.engine->layer(index); });
    stop_if_failed();
    comm->forward_comm(this, host.engine->width());
  }
  host.attempt(trouble, [&] { host.engine->finish(values.data(), deviations.data()); });
  stop_if_failed();
}

/* ----------------------------------------------------------------------
   before an exchange, so that no rank waits for one that has failed
------------------------------------------------------------------------- */

void ComputeSymGNNAtom::stop_if_failed()
{
  if (!trouble.empty()) trouble = fmt::format("the prediction of step {} failed: {}", update->ntimestep, trouble);
  host.fail_if(trouble);
}

/* ---------------------------------------------------------------------- */

void ComputeSymGNNAtom::store()
{
  if (atom->nmax > nmax) {
    memory->destroy(array_atom);
    nmax = atom->nmax;
    memory->create(array_atom, nmax, NCOLUMNS, "symgnn/atom:array_atom");
  }
  const double limit = model.validity.max_deviation;
  for (int i = 0; i < atom->nlocal; i++) {
    const int node = atoms.nodes[i];
    const bool known = node >= 0 && (atom->mask[i] & groupbit);
    array_atom[i][0] = known ? values[node] : 0.0;
    array_atom[i][1] = known ? deviations[node] : 0.0;
    array_atom[i][2] = known && limit > 0.0 && deviations[node] > limit ? 1.0 : 0.0;
  }
}

/* ----------------------------------------------------------------------
   of the owned atoms, with a value in its row that is not a number; MAXTAGINT if there is none
------------------------------------------------------------------------- */

tagint ComputeSymGNNAtom::first_bad_atom(double **rows, int ncolumns) const
{
  tagint first = MAXTAGINT;
  for (int i = 0; i < atom->nlocal; i++) {
    double sum = 0.0;
    for (int k = 0; k < ncolumns; k++) sum += rows[i][k];
    if (!std::isfinite(sum)) first = MIN(first, atom->tag[i]);
  }
  return first;
}

/* ----------------------------------------------------------------------
   of the owned atoms that the model sees, in the group or not, with a prediction that is not a number
------------------------------------------------------------------------- */

tagint ComputeSymGNNAtom::first_bad_prediction() const
{
  tagint first = MAXTAGINT;
  for (int i = 0; i < atom->nlocal; i++) {
    const int node = atoms.nodes[i];
    if (node >= 0 && !(std::isfinite(values[node]) && std::isfinite(deviations[node])))
      first = MIN(first, atom->tag[i]);
  }
  return first;
}

/* ---------------------------------------------------------------------- */

void ComputeSymGNNAtom::check_numbers(tagint first_of_all, const std::string &what) const
{
  if (first_of_all != MAXTAGINT)
    error->all(FLERR, fmt::format("compute symgnn/atom: {} of atom {} is not a number at step {}", what, first_of_all,
                                  update->ntimestep));
}

/* ----------------------------------------------------------------------
   of all nodes, in the group or not: stop for values that are not numbers, and for what no training covers
------------------------------------------------------------------------- */

void ComputeSymGNNAtom::compare_with_training()
{
  std::vector<double> smallest = smallest_of_all_ranks(first_bad_prediction());
  const double first = smallest.back();
  check_numbers(std::isfinite(first) ? static_cast<tagint>(first) : MAXTAGINT,
                fmt::format("the model's {}", model.property));
  smallest.pop_back();
  vitrify::PropertyCounts counts;
  counts.lowest = smallest.back();
  smallest.pop_back();

  std::vector<double> sums = sum_over_ranks();
  counts.outside = static_cast<bigint>(sums.back());
  sums.pop_back();
  counts.negative = static_cast<bigint>(sums.back());
  sums.pop_back();
  for (const double count : sums) counts.atoms += static_cast<bigint>(count);

  vitrify::Observed structure = watch->structure(sums);
  structure.closest = smallest;
  watch->refuse(structure);
  watch->refuse(vitrify::impossible_property(model.property, model.unit, counts, model.validity.max_deviation));
  watch->count(structure);
}

/* ----------------------------------------------------------------------
   smallest distance of each pair of species, lowest value, and ID of the first atom without a number, all infinite
   if there is none
------------------------------------------------------------------------- */

std::vector<double> ComputeSymGNNAtom::smallest_of_all_ranks(tagint bad) const
{
  constexpr double ENDLESS = std::numeric_limits<double>::infinity();
  std::vector<double> mine = host.engine->closest();
  const std::size_t nspecies = model.species.size();
  mine.resize(nspecies * (nspecies + 1) / 2, ENDLESS);
  double lowest = ENDLESS;
  for (const double value : values) lowest = MIN(lowest, value);
  mine.push_back(lowest);
  mine.push_back(bad == MAXTAGINT ? ENDLESS : static_cast<double>(bad));
  std::vector<double> smallest(mine.size());
  MPI_Allreduce(mine.data(), smallest.data(), static_cast<int>(mine.size()), MPI_DOUBLE, MPI_MIN, world);
  return smallest;
}

/* ----------------------------------------------------------------------
   atoms of each species, atoms with negative values, and atoms outside
------------------------------------------------------------------------- */

std::vector<double> ComputeSymGNNAtom::sum_over_ranks() const
{
  const double limit = model.validity.max_deviation;
  std::vector<double> mine = atoms.count();
  double negative = 0.0, outside = 0.0;
  for (int node = 0; node < atoms.nowned; node++) {
    if (values[node] < 0.0) negative += 1.0;
    if (limit > 0.0 && deviations[node] > limit) outside += 1.0;
  }
  mine.push_back(negative);
  mine.push_back(outside);
  std::vector<double> sums(mine.size());
  MPI_Allreduce(mine.data(), sums.data(), static_cast<int>(mine.size()), MPI_DOUBLE, MPI_SUM, world);
  return sums;
}

/* ----------------------------------------------------------------------
   sends the features of nodes; atoms that are no nodes send zeros, which nobody reads
------------------------------------------------------------------------- */

int ComputeSymGNNAtom::pack_forward_comm(int n, int *sendlist, double *buf, int /*pbc_flag*/, int * /*pbc*/)
{
  const int width = host.engine->width();
  sent.clear();
  for (int k = 0; k < n; k++) {
    if (sendlist[k] >= static_cast<int>(atoms.nodes.size())) {
      trouble = STALE;
      return n * width;
    }
    if (atoms.nodes[sendlist[k]] >= 0) sent.push_back(atoms.nodes[sendlist[k]]);
  }
  const int nsent = static_cast<int>(sent.size());
  if (nsent == n) {
    host.attempt(trouble, [&] { host.engine->pack(n, sent.data(), buf); });
    return n * width;
  }
  rows.resize(static_cast<std::size_t>(nsent) * width);
  host.attempt(trouble, [&] { host.engine->pack(nsent, sent.data(), rows.data()); });
  const double *row = rows.data();
  for (int k = 0; k < n; k++, buf += width) {
    if (atoms.nodes[sendlist[k]] < 0) {
      std::fill_n(buf, width, 0.0);
    } else {
      std::copy_n(row, width, buf);
      row += width;
    }
  }
  return n * width;
}

/* ----------------------------------------------------------------------
   the nodes of consecutive ghosts are consecutive
------------------------------------------------------------------------- */

void ComputeSymGNNAtom::unpack_forward_comm(int n, int ifirst, double *buf)
{
  if (n == 0) return;
  if (ifirst < atom->nlocal || ifirst + n > static_cast<int>(atoms.nodes.size())) {
    trouble = STALE;
    return;
  }
  const int width = host.engine->width();
  int node = -1, nreceived = 0;
  rows.clear();
  for (int i = ifirst; i < ifirst + n; i++, buf += width) {
    if (atoms.nodes[i] < 0) continue;
    if (nreceived++ == 0) node = atoms.nodes[i];
    rows.insert(rows.end(), buf, buf + width);
  }
  if (nreceived > 0) host.attempt(trouble, [&] { host.engine->unpack(nreceived, node, rows.data()); });
}

/* ----------------------------------------------------------------------
   decides by the forces where a pair style has computed them, because velocities may be left from before a minimization
------------------------------------------------------------------------- */

void ComputeSymGNNAtom::warn_of_motion()
{
  const bool metal = model.units == "metal";
  const bool has_forces = force->pair && !utils::strmatch(force->pair_style, "^zero") && force->pair->compute_flag;
  std::string what;
  if (has_forces) {
    const double limit = metal ? LARGEST_FORCE_METAL : LARGEST_FORCE_LJ;
    const double largest = largest_force();
    if (largest > limit)
      what = fmt::format("a force component of {:.3g} {}, above {}", largest, metal ? "eV/A" : "epsilon/sigma", limit);
  } else if (update->whichflag != 2) {
    const double limit = metal ? LARGEST_TEMPERATURE_METAL : LARGEST_TEMPERATURE_LJ;
    const double found = temperature();
    if (found > limit)
      what = fmt::format("a temperature of {:.3g}{}, above {}", found, metal ? " K" : " epsilon/k", limit);
  }
  if (what.empty()) return;
  warned_motion = true;
  if (comm->me == 0)
    error->warning(FLERR,
                   fmt::format("compute symgnn/atom: at step {} the structure has {}, and is not at a minimum, where "
                               "the labels of the model belong: use minimize first{}",
                               update->ntimestep, what, has_forces ? "" : ", or velocity all set 0 0 0 if it is"));
}

/* ---------------------------------------------------------------------- */

double ComputeSymGNNAtom::largest_force() const
{
  double mine = 0.0, largest = 0.0;
  for (int i = 0; i < atom->nlocal; i++)
    if (atoms.nodes[i] >= 0)
      for (int k = 0; k < 3; k++) mine = MAX(mine, std::fabs(atom->f[i][k]));
  MPI_Allreduce(&mine, &largest, 1, MPI_DOUBLE, MPI_MAX, world);
  return largest;
}

/* ---------------------------------------------------------------------- */

double ComputeSymGNNAtom::temperature() const
{
  double mine[2] = {0.0, 0.0}, all[2];    // twice the kinetic energy, and atoms
  for (int i = 0; i < atom->nlocal; i++) {
    if (atoms.nodes[i] < 0) continue;
    const double *v = atom->v[i];
    mine[0] += (atom->rmass ? atom->rmass[i] : atom->mass[atom->type[i]]) * (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    mine[1] += 1.0;
  }
  MPI_Allreduce(mine, all, 2, MPI_DOUBLE, MPI_SUM, world);
  return all[1] > 0.0 ? force->mvv2e * all[0] / (3.0 * all[1] * force->boltz) : 0.0;
}

/* ---------------------------------------------------------------------- */

double ComputeSymGNNAtom::memory_usage()
{
  return static_cast<double>(host.engine->bytes() + half_list.bytes() + atoms.bytes() + sizeof(int) * sent.capacity() +
                             sizeof(double) * (values.capacity() + deviations.capacity() + rows.capacity() +
                                               NCOLUMNS * static_cast<std::size_t>(nmax)));
}
