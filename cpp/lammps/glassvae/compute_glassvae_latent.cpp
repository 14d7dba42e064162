/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/glassvae/compute_glassvae_latent.h"

#include "lammps/glassvae/pair_glassvae.h"

#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "update.h"

#include <algorithm>
#include <cstring>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

ComputeGlassVAELatent::ComputeGlassVAELatent(LAMMPS *lmp, int narg, char **arg) :
    Compute(lmp, narg, arg), host(lmp, "compute glassvae/latent", "glassvae"), noutside_with_pair(0)
{
  if (strcmp(arg[1], "all") != 0)
    error->all(FLERR, fmt::format("compute glassvae/latent: group {} is not supported, because z belongs to the whole "
                                  "structure: use group all",
                                  arg[1]));
  host.read_arguments(3, narg, arg, {ModelHost::FORCE}, true,
                      [this](int iarg, int n, char **words) { return host.read_force(iarg, n, words); });
  host.check_system();
  driver.reset(new EnergyDriver(lmp, host, false));

  scalar_flag = 1;
  extscalar = 0;
  vector_flag = 1;
  extvector = 0;
  size_vector = host.model.latent;
  z.assign(size_vector, 0.0);
  vector = z.data();
  if (comm->me == 0)
    utils::logmesg(lmp, "compute glassvae/latent: {} numbers, engine {}, variant {}, {}, cutoff {}; types {}\n",
                   size_vector, host.engine_name, host.model.variant, host.model.dtype, host.model.cutoff,
                   host.mapping);
}

/* ---------------------------------------------------------------------- */

void ComputeGlassVAELatent::init()
{
  host.request_ghosts();
  driver->atoms.check_exclusions();
  driver->begin_run();
}

/* ----------------------------------------------------------------------
   a pair style with the same model has found z already, unless the box has changed since
   positions of ghosts are current, because LAMMPS has communicated them since the last move, except that fix deform
   changes the box and moves the owned atoms alone at the end of a step, when forces are known
------------------------------------------------------------------------- */

void ComputeGlassVAELatent::compute_vector()
{
  invoked_vector = update->ntimestep;
  const auto *pair = dynamic_cast<PairGlassVAE *>(force->pair_match("glassvae", 1));
  const std::vector<double> *known = pair && !domain->box_change ? pair->latent(host) : nullptr;
  if (domain->box_change && update->whichflag != 0) comm->forward_comm();
  const std::vector<double> &found = known ? *known : driver->latent();
  if (known && pair->was_outside()) noutside_with_pair++;
  std::copy(found.begin(), found.end(), z.begin());
}

/* ---------------------------------------------------------------------- */

double ComputeGlassVAELatent::compute_scalar()
{
  invoked_scalar = update->ntimestep;
  scalar = static_cast<double>(noutside_with_pair + driver->watch.outside());
  return scalar;
}

/* ---------------------------------------------------------------------- */

double ComputeGlassVAELatent::memory_usage()
{ return static_cast<double>(driver->bytes() + sizeof(double) * z.capacity()); }
