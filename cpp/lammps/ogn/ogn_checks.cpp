/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/ogn_checks.h"

#include "lammps/forces/verlet_stride.h"
#include "lammps/ogn/ogn_settings.h"

#include "atom.h"
#include "domain.h"
#include "error.h"
#include "fix.h"
#include "force.h"
#include "modify.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

using namespace LAMMPS_NS;
using namespace FixConst;

static constexpr double TIMESTEP_TOLERANCE = 1.0e-6;

// fixes that act when forces are known, but only read them

static const std::vector<std::string> FORCE_OBSERVERS = {"store/force"};

static bool contains(const std::vector<std::string> &words, const std::string &word)
{ return std::find(words.begin(), words.end(), word) != words.end(); }

/* ---------------------------------------------------------------------- */

void OGNChecks::check_system() const
{
  host.check_system();
  if (atom->molecular != Atom::ATOMIC)
    error->all(FLERR, "fix ogn: bonds are not supported: use an atom style without them, such as atomic or charge");
  if (atom->rmass_flag || !atom->mass)
    error->all(FLERR, "fix ogn: per-atom masses are not supported: use an atom style with one mass for each type");
  if (!atom->tag_enable) error->all(FLERR, "fix ogn: atoms need IDs: use atom_modify id yes");
}

/* ---------------------------------------------------------------------- */

void OGNChecks::check_run(const Fix *self) const
{
  if (utils::strmatch(update->integrate_style, "^respa"))
    error->all(FLERR, "fix ogn: run_style respa is not supported: use run_style verlet");
  if (!domain->xperiodic || !domain->yperiodic || !domain->zperiodic)
    error->all(FLERR, "fix ogn: the model knows no walls or free surfaces: use boundary p p p");
  host.check_masses();
  check_timestep();
  check_neighbors();
  check_other_fixes(self);
  check_energy();
  if (settings.barostat) check_barostat(self);
  if (settings.fallback_steps) VerletStride(lmp).check("fix ogn: guard yes fallback");
  if (settings.validate_every) VerletStride(lmp).check("fix ogn: validate");
}

/* ---------------------------------------------------------------------- */

void OGNChecks::check_timestep() const
{
  if (!(std::fabs(update->dt - host.model.timestep) <= TIMESTEP_TOLERANCE * host.model.timestep))
    error->all(FLERR, fmt::format("fix ogn: the timestep is {}, but the model predicts a stride of {}: use timestep {}",
                                  update->dt, host.model.timestep, host.model.timestep));
}

/* ---------------------------------------------------------------------- */

void OGNChecks::check_neighbors() const
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

void OGNChecks::check_other_fixes(const Fix *self) const
{
  for (Fix *other : modify->get_fix_list()) {
    if (other == self) continue;
    const std::string name = fmt::format("fix {} {}", other->id, other->style);
    if (other->time_integrate || other->rigid_flag)
      error->all(FLERR,
                 fmt::format("fix ogn: {} moves the atoms, too: remove one of the two (unfix {})", name, other->id));
    if (other->box_change & ~Fix::BOX_CHANGE_DOMAIN) check_box_change(other, name);
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
    if (settings.rescale && utils::strmatch(other->style, "^temp/"))
      error->all(FLERR,
                 fmt::format("fix ogn: energy rescale holds the energy, and {} changes it: use one of them", name));
  }
}

/* ----------------------------------------------------------------------
   between two strides the box may change; the pressure comes from the pair style
------------------------------------------------------------------------- */

void OGNChecks::check_box_change(const Fix *other, const std::string &name) const
{
  if (domain->deform_vremap)
    error->all(FLERR, fmt::format("fix ogn: {} changes velocities where atoms cross the boundary (remap v), which the "
                                  "model does not know: use remap x",
                                  name));
  if (settings.rescale)
    error->all(FLERR, fmt::format("fix ogn: energy rescale holds the energy, and {} changes it: use one of them, or "
                                  "langevin or fix temp/csvr for the temperature",
                                  name));
  if (utils::strmatch(other->style, "press") && !has_real_pair_style())
    error->all(FLERR, fmt::format("fix ogn: {} needs the pressure, which the model does not tell: use the real pair "
                                  "style",
                                  name));
}

/* ---------------------------------------------------------------------- */

void OGNChecks::check_barostat(const Fix *self) const
{
  const std::string &keyword = settings.barostat->keyword;
  if (!has_real_pair_style())
    error->all(FLERR, fmt::format("fix ogn: {} needs the pressure, which this model does not tell: use the real pair "
                                  "style",
                                  keyword));
  for (const Fix *other : modify->get_fix_list())
    if (other != self && (other->box_change & ~Fix::BOX_CHANGE_DOMAIN))
      error->all(FLERR, fmt::format("fix ogn: {} and fix {} {} both change the box: use one of them", keyword,
                                    other->id, other->style));
}

/* ---------------------------------------------------------------------- */

bool OGNChecks::has_real_pair_style() const
{ return force->pair && !utils::strmatch(force->pair_style, "^zero") && force->pair->compute_flag; }

/* ---------------------------------------------------------------------- */

void OGNChecks::check_energy() const
{
  if (!settings.rescale) return;
  if (!has_real_pair_style())
    error->all(FLERR, "fix ogn: energy rescale needs the potential energy: use the real pair style");
}

/* ---------------------------------------------------------------------- */

std::vector<double> OGNChecks::count_atoms() const
{
  std::vector<bigint> mine(host.model.species.size(), 0), all(mine.size());
  for (int i = 0; i < atom->nlocal; i++) mine[host.species_of_type[atom->type[i]]]++;
  MPI_Allreduce(mine.data(), all.data(), static_cast<int>(mine.size()), MPI_LMP_BIGINT, MPI_SUM, world);
  const bigint left = std::accumulate(all.begin(), all.end(), bigint{0});
  if (left != atom->natoms)
    error->all(FLERR, fmt::format(
                          "fix ogn: lost atoms: {} of {} are left at step {}; the model has left the range that it was "
                          "trained in",
                          left, atom->natoms, update->ntimestep));
  return {all.begin(), all.end()};
}
