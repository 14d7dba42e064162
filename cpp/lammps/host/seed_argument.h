/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   A seed among the arguments of a command
------------------------------------------------------------------------- */

#ifndef VITRIFY_SEED_ARGUMENT_H
#define VITRIFY_SEED_ARGUMENT_H

#include <cstdint>
#include <string>

namespace LAMMPS_NS {

class LAMMPS;

// the seed of a word, by the rule that all hosts share (rules/seed.h); stop with a message that begins with `name` if
// it is none

uint32_t read_seed(LAMMPS *lmp, const std::string &name, const std::string &word);

}    // namespace LAMMPS_NS

#endif
