/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   The arguments of create_glass, and the boxes that it refuses
------------------------------------------------------------------------- */

#include "lammps/generation/create_glass.h"

#include "base/suggestion.h"
#include "lammps/host/seed_argument.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "modify.h"

#include <algorithm>
#include <cmath>

using namespace LAMMPS_NS;

static const std::vector<std::string> KEYWORDS = {"number", "density",     "seed",  "steps",  "elements", "target",
                                                  "energy", "composition", "churn", "region", "occupied", "check"};

static bool is_keyword(const std::string &word)
{ return std::find(KEYWORDS.begin(), KEYWORDS.end(), word) != KEYWORDS.end(); }

/* ---------------------------------------------------------------------- */

void CreateGlass::read_arguments(int narg, char **arg)
{
  model_name = arg[0];
  for (int iarg = 1; iarg < narg;) {
    if (!is_keyword(arg[iarg]))
      error->all(FLERR, fmt::format("create_glass: unknown keyword {}{}: use {}", arg[iarg],
                                    vitrify::did_you_mean(arg[iarg], KEYWORDS), vitrify::joined(KEYWORDS)));
    iarg += read_keyword(iarg, narg, arg);
  }
  if (number && density > 0.0)
    error->all(FLERR, "create_glass: number and density together say how large the box is, which it is already: use "
                      "one of them");
  if (region && number)
    error->all(FLERR, "create_glass: with region, the number of atoms follows from the density: use density");
  if (!composition.empty() && elements.empty())
    error->all(FLERR, "create_glass: composition needs elements, whose shares it gives: use elements, too");
}

/* ----------------------------------------------------------------------
   read one keyword with its values; return the number of words
------------------------------------------------------------------------- */

int CreateGlass::read_keyword(int iarg, int narg, char **arg)
{
  const std::string keyword = arg[iarg];
  if (keyword == "elements" || keyword == "composition") return read_list(iarg, narg, arg);
  const int nwords = keyword == "target" || keyword == "energy" ? 3 : 2;
  if (iarg + nwords > narg) utils::missing_cmd_args(FLERR, "create_glass " + keyword, error);
  const std::string value = arg[iarg + 1];
  if (keyword == "number") {
    number = utils::bnumeric(FLERR, value, false, lmp);
    if (number < 1)
      error->all(FLERR, fmt::format("create_glass: number {} makes no glass: give at least one atom", number));
  } else if (keyword == "density") {
    density = utils::numeric(FLERR, value, false, lmp);
    if (!(density > 0.0) || !std::isfinite(density))
      error->all(FLERR, fmt::format("create_glass: density {} is impossible: give one above zero", value));
  } else if (keyword == "seed") {
    seed = read_seed(lmp, "create_glass: seed", value);
  } else if (keyword == "steps") {
    steps = utils::inumeric(FLERR, value, false, lmp);
    if (steps < 1) error->all(FLERR, fmt::format("create_glass: steps {} is too few: give at least one", value));
  } else if (keyword == "churn") {
    churn = utils::numeric(FLERR, value, false, lmp);
  } else if (keyword == "target") {
    targets.emplace_back(value, utils::numeric(FLERR, arg[iarg + 2], false, lmp));
  } else if (keyword == "energy") {
    energies = {utils::numeric(FLERR, value, false, lmp), utils::numeric(FLERR, arg[iarg + 2], false, lmp)};
  } else if (keyword == "region") {
    region = domain->get_region_by_id(value);
    if (!region) error->all(FLERR, fmt::format("create_glass: region {} does not exist: define it first", value));
  } else if (keyword == "occupied") {
    occupied = utils::logical(FLERR, value, false, lmp) == 1;
  } else {
    check = utils::logical(FLERR, value, false, lmp) == 1;
  }
  return nwords;
}

/* ----------------------------------------------------------------------
   one value for each atom type
------------------------------------------------------------------------- */

int CreateGlass::read_list(int iarg, int narg, char **arg)
{
  const std::string keyword = arg[iarg];
  std::vector<std::string> words;
  int i = iarg + 1;
  for (; i < narg && !is_keyword(arg[i]) && static_cast<int>(words.size()) < atom->ntypes; i++)
    words.emplace_back(arg[i]);
  if (static_cast<int>(words.size()) < atom->ntypes)
    error->all(FLERR, fmt::format("create_glass: {} got {} values for {} atom types: give one for each type{}", keyword,
                                  words.size(), atom->ntypes, keyword == "elements" ? ", NULL for none" : ""));
  if (i < narg && !is_keyword(arg[i]))
    error->all(FLERR,
               fmt::format("create_glass: {} after {} of all {} atom types is no keyword{}: use {}", arg[i], keyword,
                           atom->ntypes, vitrify::did_you_mean(arg[i], KEYWORDS), vitrify::joined(KEYWORDS)));
  if (keyword == "elements") {
    elements = words;
  } else {
    composition.clear();
    for (const auto &word : words) composition.push_back(utils::numeric(FLERR, word, false, lmp));
  }
  return static_cast<int>(words.size()) + 1;
}

/* ---------------------------------------------------------------------- */

void CreateGlass::check_box()
{
  if (domain->dimension != 3) error->all(FLERR, "create_glass: a glass is three-dimensional: use dimension 3");
  if (!domain->xperiodic || !domain->yperiodic || !domain->zperiodic)
    error->all(FLERR, "create_glass: the model knows no walls or free surfaces: use boundary p p p, and change_box all "
                      "boundary afterwards");
  if (!atom->tag_enable) error->all(FLERR, "create_glass: atoms need IDs: use atom_modify id yes");
  if (modify->nfix_restart_peratom)
    error->all(FLERR, "create_glass: a restart file holds values of each atom of a fix: use run 0 first");
  if (atom->natoms == 0) return;
  if (!occupied)
    error->all(FLERR, fmt::format("create_glass: the box holds {} atoms, which the model does not see: use an empty "
                                  "box, delete_atoms group all, or occupied yes",
                                  atom->natoms));
  if (comm->me == 0)
    error->warning(FLERR,
                   "create_glass: the box holds {} atoms, which the model does not see: new ones may overlap "
                   "with them",
                   atom->natoms);
}
