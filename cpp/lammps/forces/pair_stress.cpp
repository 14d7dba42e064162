/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/forces/pair_stress.h"

#include "compute.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "modify.h"

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

PairStress::PairStress(LAMMPS *lmp, const std::string &owner) : StrideStress(lmp), id(owner + "_virial")
{ modify->add_compute(id + " all pressure NULL virial"); }

/* ---------------------------------------------------------------------- */

PairStress::~PairStress()
{
  if (compute()) modify->delete_compute(id);
}

/* ---------------------------------------------------------------------- */

Compute *PairStress::compute() const
{ return modify->get_compute_by_id(id); }

/* ---------------------------------------------------------------------- */

void PairStress::ask(bigint step)
{
  if (!compute()) error->all(FLERR, fmt::format("fix ogn: compute {} is gone, which the barostat reads: keep it", id));
  compute()->addstep(step);
}

/* ---------------------------------------------------------------------- */

vitrify::Symmetric PairStress::virial()
{
  compute()->compute_vector();
  const double volume = domain->xprd * domain->yprd * domain->zprd;
  vitrify::Symmetric found;
  for (int k = 0; k < 6; k++) found[k] = compute()->vector[k] * volume / force->nktv2p;
  return found;
}
