/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/ogn_settings.h"

#include "lammps/host/seed_argument.h"

#include "error.h"

#include <cstring>

using namespace LAMMPS_NS;

const std::vector<std::string> OGNSettings::KEYWORDS = {"energy", "langevin", "guard", "pair", "validate"};

/* ---------------------------------------------------------------------- */

int OGNSettings::read_keyword(int iarg, int narg, char **arg)
{
  const std::string keyword = arg[iarg];
  const int nwords = keyword == "langevin" ? 4 : 2;
  if (iarg + nwords > narg) utils::missing_cmd_args(FLERR, "fix ogn " + keyword, error);
  if (keyword == "energy") return read_energy(iarg, arg);
  if (keyword == "guard") return read_guard(iarg, narg, arg);
  if (keyword == "pair") return read_pair(iarg, arg);
  if (keyword == "validate") return read_validate(iarg, narg, arg);
  return read_langevin(iarg, arg);
}

/* ---------------------------------------------------------------------- */

int OGNSettings::read_energy(int iarg, char **arg)
{
  const std::string value = arg[iarg + 1];
  if (value != "none" && value != "rescale")
    error->all(FLERR, fmt::format("fix ogn: energy {} is unknown: use none or rescale", value));
  rescale = value == "rescale";
  return 2;
}

/* ---------------------------------------------------------------------- */

int OGNSettings::read_guard(int iarg, int narg, char **arg)
{
  const std::string value = arg[iarg + 1];
  guard = utils::logical(FLERR, value, false, lmp) == 1;
  fallback_steps = 0;
  if (iarg + 2 >= narg || strcmp(arg[iarg + 2], "fallback") != 0) return 2;
  if (iarg + 4 > narg) utils::missing_cmd_args(FLERR, "fix ogn guard fallback", error);
  fallback_steps = utils::inumeric(FLERR, arg[iarg + 3], false, lmp);
  if (!guard || fallback_steps < 1)
    error->all(FLERR, fmt::format("fix ogn: fallback wants guard yes and a number of steps >= 1, got guard {} "
                                  "fallback {}",
                                  value, arg[iarg + 3]));
  return 4;
}

/* ---------------------------------------------------------------------- */

int OGNSettings::read_pair(int iarg, char **arg)
{
  const std::string value = arg[iarg + 1];
  if (value != "auto" && value != "every")
    error->all(FLERR, fmt::format("fix ogn: pair {} is unknown: use auto or every", value));
  pair_every = value == "every";
  return 2;
}

/* ---------------------------------------------------------------------- */

int OGNSettings::read_validate(int iarg, int narg, char **arg)
{
  validate_every = utils::inumeric(FLERR, arg[iarg + 1], false, lmp);
  tolerance = 0.0;
  const bool has_tolerance = iarg + 2 < narg && utils::is_double(arg[iarg + 2]);
  if (has_tolerance) tolerance = utils::numeric(FLERR, arg[iarg + 2], false, lmp);
  if (validate_every < 1 || (has_tolerance && !(tolerance > 0.0)))
    error->all(FLERR, fmt::format("fix ogn: validate wants a number of strides >= 1, and a tolerance > 0 to stop "
                                  "beyond it, got {} {}",
                                  arg[iarg + 1], has_tolerance ? arg[iarg + 2] : ""));
  return has_tolerance ? 3 : 2;
}

/* ---------------------------------------------------------------------- */

int OGNSettings::read_langevin(int iarg, char **arg)
{
  langevin = true;
  temperature = utils::numeric(FLERR, arg[iarg + 1], false, lmp);
  damp = utils::numeric(FLERR, arg[iarg + 2], false, lmp);
  if (!(temperature >= 0.0) || !(damp > 0.0))
    error->all(FLERR,
               fmt::format("fix ogn: langevin wants a temperature >= 0, a damping time > 0 and a seed, got {} {} "
                           "{}",
                           arg[iarg + 1], arg[iarg + 2], arg[iarg + 3]));
  seed = read_seed(lmp, "fix ogn: langevin seed", arg[iarg + 3]);
  return 4;
}

/* ---------------------------------------------------------------------- */

void OGNSettings::check() const
{
  if (rescale && langevin)
    error->all(FLERR, "fix ogn: energy rescale holds the energy and langevin changes it: use one of them");
}
