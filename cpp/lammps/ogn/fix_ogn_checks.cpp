/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   What fix ogn reads from its command and refuses to run with
------------------------------------------------------------------------- */

#include "lammps/ogn/fix_ogn.h"

#include "lammps/ogn/verlet_stride.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "modify.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace LAMMPS_NS;
using namespace FixConst;

static constexpr double TIMESTEP_TOLERANCE = 1.0e-6;

static const std::vector<std::string> KEYWORDS = {"energy", "langevin", "guard"};

// fixes that are called when forces are known, but only look at them

static const std::vector<std::string> FORCE_OBSERVERS = {"store/force"};

static bool contains(const std::vector<std::string> &words, const std::string &word)
{ return std::find(words.begin(), words.end(), word) != words.end(); }

/* ---------------------------------------------------------------------- */

void FixOGN::read_arguments(int narg, char **arg)
{
  if (narg < 4) utils::missing_cmd_args(FLERR, "fix ogn", error);
  if (strcmp(arg[1], "all") != 0)
    error->all(
        FLERR,
        fmt::format("fix ogn: group {} is not supported, because the model moves every atom: use group all", arg[1]));

  host.read_arguments(3, narg, arg, KEYWORDS, false,
                      [this](int iarg, int n, char **words) { return read_keyword(iarg, n, words); });
  if (rescale_flag && langevin_flag)
    error->all(FLERR, "fix ogn: energy rescale holds the energy and langevin changes it: use one of them");
  report_model();
}

/* ----------------------------------------------------------------------
   read one keyword with its values; return the number of words
------------------------------------------------------------------------- */

int FixOGN::read_keyword(int iarg, int narg, char **arg)
{
  const std::string keyword = arg[iarg];
  int nwords = keyword == "langevin" ? 4 : 2;
  if (iarg + nwords > narg) utils::missing_cmd_args(FLERR, "fix ogn " + keyword, error);
  const std::string value = arg[iarg + 1];
  if (keyword == "energy") {
    if (value != "none" && value != "rescale")
      error->all(FLERR, fmt::format("fix ogn: energy {} is unknown: use none or rescale", value));
    rescale_flag = value == "rescale";
  } else if (keyword == "guard") {
    guard_flag = utils::logical(FLERR, value, false, lmp) == 1;
    fallback_steps = 0;
    if (iarg + 2 < narg && strcmp(arg[iarg + 2], "fallback") == 0) {
      nwords = 4;
      if (iarg + nwords > narg) utils::missing_cmd_args(FLERR, "fix ogn guard fallback", error);
      fallback_steps = utils::inumeric(FLERR, arg[iarg + 3], false, lmp);
      if (!guard_flag || fallback_steps < 1)
        error->all(FLERR, fmt::format("fix ogn: fallback wants guard yes and a number of steps >= 1, got guard {} "
                                      "fallback {}",
                                      value, arg[iarg + 3]));
    }
  } else {
    langevin_flag = true;
    langevin_temp = utils::numeric(FLERR, value, false, lmp);
    langevin_damp = utils::numeric(FLERR, arg[iarg + 2], false, lmp);
    langevin_seed = utils::inumeric(FLERR, arg[iarg + 3], false, lmp);
    if (!(langevin_temp >= 0.0) || !(langevin_damp > 0.0) || langevin_seed <= 0)
      error->all(
          FLERR,
          fmt::format("fix ogn: langevin wants a temperature >= 0, a damping time > 0 and a seed > 0, got {} {} {}",
                      value, arg[iarg + 2], arg[iarg + 3]));
  }
  return nwords;
}

/* ---------------------------------------------------------------------- */

void FixOGN::report_model()
{
  if (comm->me == 0)
    utils::logmesg(lmp, "fix ogn: engine {}, variant {}, {}, stride {}, timestep {}, cutoff {}; types {}\n",
                   host.engine_name, model.variant, model.dtype, model.stride, model.timestep, model.cutoff,
                   host.mapping);
  if (guard_flag && (model.validity.min_distance.empty() || model.validity.max_displacement == 0.0) && comm->me == 0)
    utils::logmesg(lmp, "fix ogn: this model file has no limits of distances and displacements: the guard checks "
                        "temperatures alone; export the model again for the others\n");
}

/* ----------------------------------------------------------------------
   what cannot change after the box exists
------------------------------------------------------------------------- */

void FixOGN::check_system()
{
  host.check_system();
  if (atom->molecular != Atom::ATOMIC)
    error->all(FLERR, "fix ogn: bonds are not supported: use an atom style without them, such as atomic or charge");
  if (atom->rmass_flag || !atom->mass)
    error->all(FLERR, "fix ogn: per-atom masses are not supported: use an atom style with one mass for each type");
  if (!atom->tag_enable) error->all(FLERR, "fix ogn: atoms need IDs: use atom_modify id yes");
}

/* ----------------------------------------------------------------------
   what a run must fulfil
------------------------------------------------------------------------- */

void FixOGN::check_run()
{
  if (utils::strmatch(update->integrate_style, "^respa"))
    error->all(FLERR, "fix ogn: run_style respa is not supported: use run_style verlet");
  if (!domain->xperiodic || !domain->yperiodic || !domain->zperiodic)
    error->all(FLERR, "fix ogn: the model knows no walls or free surfaces: use boundary p p p");
  host.check_masses();
  check_timestep();
  check_neighbors();
  check_other_fixes();
  check_energy();
  if (fallback_steps) VerletStride(lmp).check("fix ogn: guard yes fallback");
}

/* ---------------------------------------------------------------------- */

void FixOGN::check_timestep()
{
  if (!(std::fabs(update->dt - model.timestep) <= TIMESTEP_TOLERANCE * model.timestep))
    error->all(FLERR, fmt::format("fix ogn: the timestep is {}, but the model predicts a stride of {}: use timestep {}",
                                  update->dt, model.timestep, model.timestep));
}

/* ---------------------------------------------------------------------- */

void FixOGN::check_neighbors()
{
  if (!force->pair && host.engine->needs_lists())
    error->all(FLERR,
               fmt::format("fix ogn: without a pair style LAMMPS makes no neighbor lists, which engine {} needs: "
                           "use the real one, or pair_style zero 1.0 with pair_coeff * *",
                           host.engine_name));
  if (neighbor->every != 1 || neighbor->delay != 0 || neighbor->dist_check != 1 || neighbor->build_once)
    error->all(FLERR,
               "fix ogn: neighbor lists must be checked at each step: use neigh_modify every 1 delay 0 check yes");
  if (host.engine->needs_lists() && (neighbor->nex_type || neighbor->nex_group || neighbor->nex_mol))
    error->all(FLERR, "fix ogn: neigh_modify exclude hides neighbors from the model: use neigh_modify exclude none");
}

/* ---------------------------------------------------------------------- */

void FixOGN::check_other_fixes()
{
  for (Fix *other : modify->get_fix_list()) {
    if (other == this) continue;
    const std::string name = fmt::format("fix {} {}", other->id, other->style);
    if (other->time_integrate || other->rigid_flag)
      error->all(FLERR,
                 fmt::format("fix ogn: {} moves the atoms, too: remove one of the two (unfix {})", name, other->id));
    if (other->box_change & ~BOX_CHANGE_DOMAIN)
      error->all(FLERR, fmt::format("fix ogn: {} changes the box, which the model does not know: remove it", name));
    const int mask = modify->get_fix_mask(other);
    if ((mask & POST_FORCE) && !contains(FORCE_OBSERVERS, other->style))
      error->all(
          FLERR,
          fmt::format("fix ogn: {} acts through forces, which the model does not read, and would have no effect: "
                      "remove it{}",
                      name,
                      utils::strmatch(other->style, "^langevin") ? ", and use fix ogn ... langevin T damp seed" : ""));
    if (mask & (INITIAL_INTEGRATE | POST_INTEGRATE))
      error->all(FLERR, fmt::format("fix ogn: {} acts within the integration of a step: remove it", name));
    if (rescale_flag && utils::strmatch(other->style, "^temp/"))
      error->all(FLERR,
                 fmt::format("fix ogn: energy rescale holds the energy, and {} changes it: use one of them", name));
  }
}

/* ---------------------------------------------------------------------- */

void FixOGN::check_energy()
{
  if (!rescale_flag) return;
  if (!force->pair || utils::strmatch(force->pair_style, "^zero") || !force->pair->compute_flag)
    error->all(FLERR, "fix ogn: energy rescale needs the potential energy: use the real pair style");
}

/* ----------------------------------------------------------------------
   called when atoms may have changed ranks, which is when they get lost
------------------------------------------------------------------------- */

void FixOGN::check_lost_atoms()
{
  const bigint mine = atom->nlocal;
  bigint all = 0;
  MPI_Allreduce(&mine, &all, 1, MPI_LMP_BIGINT, MPI_SUM, world);
  if (all != atom->natoms)
    error->all(FLERR, fmt::format(
                          "fix ogn: lost atoms: {} of {} are left at step {}; the model has left the range that it was "
                          "trained in",
                          all, atom->natoms, update->ntimestep));
}
