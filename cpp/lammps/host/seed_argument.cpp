/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/host/seed_argument.h"

#include "base/error.h"
#include "rules/seed.h"

#include "error.h"
#include "lammps.h"
#include "utils.h"

#include <cstdlib>

using namespace LAMMPS_NS;

/* ----------------------------------------------------------------------
   LAMMPS's own reader has words of its own for integers that are too large
------------------------------------------------------------------------- */

uint32_t LAMMPS_NS::read_seed(LAMMPS *lmp, const std::string &name, const std::string &word)
{
  const bool is_short = utils::is_integer(word) && word.size() < 19;
  try {
    if (is_short) return vitrify::checked_seed(std::strtoll(word.c_str(), nullptr, 10), name);
    lmp->error->all(FLERR, vitrify::describe_wrong_seed(word, name));
  } catch (const vitrify::Error &found) {
    lmp->error->all(FLERR, found.what());
  }
  return 0;
}
