/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/ogn_settings.h"

#include "lammps/host/seed_argument.h"

#include "error.h"

#include <cmath>
#include <cstring>
#include <map>

using namespace LAMMPS_NS;

const std::vector<std::string> OGNSettings::KEYWORDS = {"energy",   "langevin", "guard", "pair",
                                                        "validate", "iso",      "aniso", "tri"};
static const std::map<std::string, vitrify::BoxShape> SHAPES = {
    {"iso", vitrify::BoxShape::ISO}, {"aniso", vitrify::BoxShape::ANISO}, {"tri", vitrify::BoxShape::TRI}};

// options of the barostat, with the number of their values

static const std::map<std::string, int> BAROSTAT_OPTIONS = {
    {"temp", 2}, {"seed", 1}, {"modulus", 1}, {"every", 1}, {"pressure", 1}};

/* ---------------------------------------------------------------------- */

int OGNSettings::read_keyword(int iarg, int narg, char **arg)
{
  const std::string keyword = arg[iarg];
  const bool changes_box = SHAPES.count(keyword) > 0;
  const int nwords = keyword == "langevin" || changes_box ? 4 : 2;
  if (iarg + nwords > narg) utils::missing_cmd_args(FLERR, "fix ogn " + keyword, error);
  if (keyword == "energy") return read_energy(iarg, arg);
  if (keyword == "guard") return read_guard(iarg, narg, arg);
  if (keyword == "pair") return read_pair(iarg, arg);
  if (keyword == "validate") return read_validate(iarg, narg, arg);
  return changes_box ? read_barostat(iarg, narg, arg) : read_langevin(iarg, arg);
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

int OGNSettings::read_barostat(int iarg, int narg, char **arg)
{
  const std::string keyword = arg[iarg];
  if (barostat)
    error->all(FLERR,
               fmt::format("fix ogn: {} and {} both control the box: use one of them", barostat->keyword, keyword));
  barostat.emplace();
  barostat->keyword = keyword;
  barostat->shape = SHAPES.at(keyword);
  for (int k = 0; k < 2; k++) barostat->pressure[k] = utils::numeric(FLERR, arg[iarg + 1 + k], false, lmp);
  barostat->damp = utils::numeric(FLERR, arg[iarg + 3], false, lmp);
  if (!std::isfinite(barostat->pressure[0] + barostat->pressure[1]) || !(barostat->damp > 0.0) ||
      !std::isfinite(barostat->damp))
    error->all(FLERR, fmt::format("fix ogn: {} wants two pressures, at the beginning and the end of a run, and a "
                                  "damping time > 0, got {} {} {}",
                                  keyword, arg[iarg + 1], arg[iarg + 2], arg[iarg + 3]));
  int next = iarg + 4;
  while (next < narg && BAROSTAT_OPTIONS.count(arg[next])) {
    const std::string option = arg[next];
    const int nvalues = BAROSTAT_OPTIONS.at(option);
    if (next + nvalues >= narg) utils::missing_cmd_args(FLERR, "fix ogn " + keyword + " " + option, error);
    read_barostat_option(option, arg + next + 1);
    next += 1 + nvalues;
  }
  return next - iarg;
}

/* ---------------------------------------------------------------------- */

void OGNSettings::read_barostat_option(const std::string &option, char **values)
{
  const std::string name = fmt::format("fix ogn: {} {}", barostat->keyword, option);
  if (option == "seed") {
    barostat->seed = read_seed(lmp, name, values[0]);
  } else if (option == "pressure") {
    if (strcmp(values[0], "pair") != 0)
      error->all(FLERR, fmt::format("{} {} is not to be had: this model tells no stress: use pressure pair, and the "
                                    "real pair style",
                                    name, values[0]));
  } else if (option == "every") {
    barostat->every = utils::inumeric(FLERR, values[0], false, lmp);
    if (barostat->every < 1)
      error->all(FLERR, fmt::format("{} wants a number of strides >= 1, got {}", name, values[0]));
  } else if (option == "modulus") {
    barostat->modulus = utils::numeric(FLERR, values[0], false, lmp);
    if (!(barostat->modulus > 0.0 && std::isfinite(barostat->modulus)))
      error->all(FLERR,
                 fmt::format("{} wants a pressure > 0, the inverse of the compressibility, got {}", name, values[0]));
  } else {
    std::array<double, 2> bath;
    for (int k = 0; k < 2; k++) bath[k] = utils::numeric(FLERR, values[k], false, lmp);
    if (!(bath[0] >= 0.0 && bath[1] >= 0.0 && std::isfinite(bath[0] + bath[1])))
      error->all(FLERR, fmt::format("{} wants two temperatures >= 0, at the beginning and the end of a run, got {} {}",
                                    name, values[0], values[1]));
    barostat->bath = bath;
  }
}

/* ---------------------------------------------------------------------- */

std::array<double, 2> OGNSettings::bath_temperatures() const
{ return barostat->bath.value_or(std::array<double, 2>{temperature, temperature}); }

/* ---------------------------------------------------------------------- */

void OGNSettings::check() const
{
  if (rescale && langevin)
    error->all(FLERR, "fix ogn: energy rescale holds the energy and langevin changes it: use one of them");
  if (!barostat) return;
  if (rescale)
    error->all(FLERR, fmt::format("fix ogn: energy rescale holds the energy and {} changes it: use one of them, or "
                                  "langevin or fix temp/csvr for the temperature",
                                  barostat->keyword));
  if (!langevin && !barostat->bath)
    error->all(FLERR, fmt::format("fix ogn: {} has noise of a temperature that it must know: add temp Tstart Tstop to "
                                  "it, those of the thermostat, or langevin T damp seed",
                                  barostat->keyword));
}
