/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   The virial of the pair style, computed in the timesteps that are asked for
------------------------------------------------------------------------- */

#ifndef VITRIFY_PAIR_STRESS_H
#define VITRIFY_PAIR_STRESS_H

#include "lammps/forces/stride_stress.h"

#include <string>

namespace LAMMPS_NS {

class PairStress : public StrideStress {
public:
  // adds a compute, for as long as it lives, which is named after the fix `owner`

  PairStress(LAMMPS *lmp, const std::string &owner);
  ~PairStress() override;
  PairStress(const PairStress &) = delete;
  PairStress &operator=(const PairStress &) = delete;

  void ask(bigint step) override;
  vitrify::Symmetric virial() override;

private:
  const std::string id;

  class Compute *compute() const;
};

}    // namespace LAMMPS_NS

#endif
