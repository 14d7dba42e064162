/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/host/model_watch.h"

#include "base/error.h"
#include "lammps/host/model_host.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "update.h"

#include <numeric>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

ModelWatch::ModelWatch(LAMMPS *lmp, const ModelHost &_host, bool _forced, const char *_force) :
    Pointers(lmp), host(_host), forced(_forced), force(_force), watch(vitrify::TrainingRange(_host.model)),
    outside_before(0), counted_step(-1), last_outside(false), warned_of{false, false, false}
{
}

/* ----------------------------------------------------------------------
   the density means something if the model sees all atoms
------------------------------------------------------------------------- */

vitrify::Observed ModelWatch::structure(const std::vector<double> &counts) const
{
  vitrify::Observed observed;
  observed.counts = counts;
  if (std::accumulate(counts.begin(), counts.end(), 0.0) != static_cast<double>(atom->natoms)) return observed;
  observed.volume = domain->xprd * domain->yprd * domain->zprd;
  observed.surfaces = !domain->xperiodic || !domain->yperiodic || !domain->zperiodic;
  return observed;
}

/* ---------------------------------------------------------------------- */

void ModelWatch::warn(const vitrify::Observed &observed)
{ print(watch.preview(observed)); }

/* ---------------------------------------------------------------------- */

void ModelWatch::count(const vitrify::Observed &observed)
{
  if (update->ntimestep == counted_step) return warn(observed);
  counted_step = update->ntimestep;
  const auto before = watch.outside();
  print(watch.observe(observed));
  last_outside = watch.outside() > before;
}

/* ---------------------------------------------------------------------- */

void ModelWatch::refuse(const vitrify::Observed &observed)
{
  stop(PLACE, watch.range().impossible(observed));
  const vitrify::Swap swap = watch.range().swapped(observed);
  if (swap.certain)
    stop(ORDER, vitrify::swapped_elements(swap, host.model.species, "use " + host.line_with_species(swap.species)));
}

/* ----------------------------------------------------------------------
   for a reason, unless it is empty or this is forced: then warn once
------------------------------------------------------------------------- */

void ModelWatch::stop(Reason which, const std::string &reason)
{
  if (reason.empty()) return;
  if (!forced)
    error->all(FLERR, fmt::format("{}: at step {} {}, or {} if that is meant", host.style, update->ntimestep,
                                  vitrify::printable(reason), force));
  if (!warned_of[which]) print(reason);
  warned_of[which] = true;
}

/* ---------------------------------------------------------------------- */

std::string ModelWatch::hint(const vitrify::Observed &observed) const
{
  const vitrify::Swap swap = watch.range().swapped(observed);
  if (swap.species.empty()) return "";
  return fmt::format(" (are the elements swapped? use {})", host.line_with_species(swap.species));
}

/* ---------------------------------------------------------------------- */

void ModelWatch::begin_run()
{
  counted_step = -1;
  restart_counts();
}

/* ---------------------------------------------------------------------- */

void ModelWatch::restart_counts()
{
  outside_before += watch.outside();
  watch.restart_counts();
}

/* ----------------------------------------------------------------------
   a single structure has been told of
------------------------------------------------------------------------- */

void ModelWatch::end_run(const std::string &what)
{
  const std::string summary = watch.summary(what);
  if (comm->me == 0 && !summary.empty() && watch.observed() > 1) utils::logmesg(lmp, "{}: {}\n", host.style, summary);
  restart_counts();
}

/* ---------------------------------------------------------------------- */

void ModelWatch::print(const std::string &text) const
{
  if (comm->me == 0 && !text.empty())
    error->warning(FLERR, fmt::format("{}: at step {} {}", host.style, update->ntimestep, vitrify::printable(text)));
}
