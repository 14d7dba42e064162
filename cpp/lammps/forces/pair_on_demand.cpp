/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/forces/pair_on_demand.h"

#include "atom.h"
#include "fix.h"
#include "force.h"
#include "modify.h"
#include "output.h"
#include "pair.h"
#include "update.h"

#include "fmt/format.h"

#include <algorithm>
#include <limits>

using namespace LAMMPS_NS;

static constexpr const char *READERS_OF_FORCES[] = {"^store/force", "^GPU", "^INTEL", "^KOKKOS", "^OMP"};

/* ----------------------------------------------------------------------
   a pair style that does nothing
   LAMMPS deletes the pair style that it has when an error ends it: if that is this one, it deletes the real one
------------------------------------------------------------------------- */

namespace LAMMPS_NS {

class NoForces : public Pair {
public:
  explicit NoForces(LAMMPS *lmp) : Pair(lmp), real(nullptr) {}
  ~NoForces() override { delete real; }

  void compute(int, int) override {}
  void settings(int, char **) override {}
  void coeff(int, char **) override {}

  Pair *real;
};

}    // namespace LAMMPS_NS

/* ---------------------------------------------------------------------- */

PairOnDemand::PairOnDemand(LAMMPS *lmp) :
    Pointers(lmp), every(true), no_forces(new NoForces(lmp)), hidden(nullptr), skipped(false), ncomputed(0), nrun(0),
    nskipped(0)
{
}

/* ---------------------------------------------------------------------- */

PairOnDemand::~PairOnDemand()
{
  if (!hidden) delete no_forces;
}

/* ---------------------------------------------------------------------- */

void PairOnDemand::begin_run(bool _every)
{
  pre_reverse();    // unless an error ended the last run in between, this does nothing
  every = _every || !can_be_skipped();
  skipped = false;
  nrun = nskipped = 0;
}

/* ----------------------------------------------------------------------
   long-range forces would be computed without the part of the pair style; packages of accelerators and fixes that
   store forces count on it
------------------------------------------------------------------------- */

bool PairOnDemand::can_be_skipped() const
{
  if (!force->pair || !force->pair->compute_flag || force->kspace) return false;
  for (const Fix *fix : modify->get_fix_list())
    for (const char *style : READERS_OF_FORCES)
      if (utils::strmatch(fix->style, style)) return false;
  return true;
}

/* ----------------------------------------------------------------------
   thermo output and computes announce the timesteps in which they want energies or the virial; dumps, and what reads
   forces after a run, do not
------------------------------------------------------------------------- */

bool PairOnDemand::is_read() const
{
  const bigint now = update->ntimestep;
  return update->eflag_global == now || update->eflag_atom == now || update->vflag_global == now ||
         update->vflag_atom == now || output->next_dump_any == now || now == update->laststep;
}

/* ---------------------------------------------------------------------- */

void PairOnDemand::pre_force()
{
  if (!force->pair) return;
  ++nrun;
  skipped = !every && !is_read();
  if (!skipped) {
    ++ncomputed;
    return;
  }
  ++nskipped;
  no_forces->real = hidden = force->pair;
  force->pair = no_forces;
}

/* ---------------------------------------------------------------------- */

void PairOnDemand::pre_reverse()
{
  if (!hidden) return;
  force->pair = hidden;
  no_forces->real = hidden = nullptr;
}

/* ---------------------------------------------------------------------- */

void PairOnDemand::post_force() const
{
  if (!skipped || atom->nlocal == 0) return;
  std::fill_n(atom->f[0], 3 * static_cast<std::size_t>(atom->nlocal), std::numeric_limits<double>::quiet_NaN());
}

/* ---------------------------------------------------------------------- */

std::string PairOnDemand::end_run()
{
  std::string text;
  if (nskipped > 0)
    text = fmt::format("the pair style was computed in {} of {} strides, where its energies or forces were read; "
                       "forces of the others are nan (pair every computes it in all)",
                       nrun - nskipped, nrun);
  nrun = nskipped = 0;
  return text;
}
