/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   The virial of a stride that the model tells, for a barostat: fix ogn hands over each one that was asked for
------------------------------------------------------------------------- */

#ifndef VITRIFY_MODEL_STRESS_H
#define VITRIFY_MODEL_STRESS_H

#include "lammps/forces/stride_stress.h"

namespace LAMMPS_NS {

class ModelStress : public StrideStress {
public:
  explicit ModelStress(LAMMPS *lmp) : StrideStress(lmp), asked(-1), mine{} {}

  void ask(bigint step) override { asked = step; }
  vitrify::Symmetric virial() override;
  bool is_asked(bigint step) const override { return asked == step; }
  void take(const vitrify::Symmetric &of_rank) override { mine = of_rank; }

private:
  bigint asked;
  vitrify::Symmetric mine;    // of this rank
};

}    // namespace LAMMPS_NS

#endif
