/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/glassvae/pair_glassvae.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neighbor.h"
#include "update.h"

#include <algorithm>
#include <numeric>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

PairGlassVAE::PairGlassVAE(LAMMPS *lmp) : Pair(lmp), latent_step(-1)
{
  single_enable = 0;
  restartinfo = 0;
  respa_enable = 0;
  one_coeff = 1;
  manybody_flag = 1;
  no_virial_fdotr_compute = 1;
  centroidstressflag = CENTROID_NOTAVAIL;
  nextra = 1;
  pvector = new double[nextra];
  pvector[0] = 0.0;
}

/* ---------------------------------------------------------------------- */

PairGlassVAE::~PairGlassVAE()
{
  delete[] pvector;
  if (!allocated) return;
  memory->destroy(setflag);
  memory->destroy(cutsq);
}

/* ---------------------------------------------------------------------- */

void PairGlassVAE::settings(int narg, char **arg)
{
  if (narg > 0)
    error->all(FLERR, fmt::format(
                          "pair_style glassvae: unexpected word {}: the model and its options belong to pair_coeff * * "
                          "MODEL El1 El2 ...",
                          arg[0]));
}

/* ---------------------------------------------------------------------- */

void PairGlassVAE::allocate()
{
  const int n = atom->ntypes + 1;
  memory->create(setflag, n, n, "pair:setflag");
  memory->create(cutsq, n, n, "pair:cutsq");
  allocated = 1;
}

/* ----------------------------------------------------------------------
   LAMMPS itself refuses other words than * * before the model
------------------------------------------------------------------------- */

void PairGlassVAE::coeff(int narg, char **arg)
{
  if (narg < 3) utils::missing_cmd_args(FLERR, "pair_coeff for pair_style glassvae", error);
  if (!allocated) allocate();

  driver.reset();
  host.reset(new ModelHost(lmp, "pair_style glassvae", "glassvae"));
  host->read_arguments(2, narg, arg, {ModelHost::FORCE}, true,
                       [this](int iarg, int n, char **words) { return host->read_force(iarg, n, words); });
  host->check_system();
  driver.reset(new EnergyDriver(lmp, *host));
  for (int i = 1; i <= atom->ntypes; i++)
    for (int j = i; j <= atom->ntypes; j++)
      setflag[i][j] = host->species_of_type[i] >= 0 && host->species_of_type[j] >= 0 ? 1 : 0;
  if (comm->me == 0)
    utils::logmesg(lmp, "pair_style glassvae: engine {}, variant {}, {}, cutoff {}, {} latent numbers; types {}\n",
                   host->engine_name, host->model.variant, host->model.dtype, host->model.cutoff, host->model.latent,
                   host->mapping);
}

/* ----------------------------------------------------------------------
   requests no neighbor list: engines find pairs by themselves
------------------------------------------------------------------------- */

void PairGlassVAE::init_style()
{
  if (!force->newton_pair)
    error->all(FLERR, "pair_style glassvae: forces on ghosts belong to their owners: use newton on");
  if (neighbor->nex_type || neighbor->nex_group || neighbor->nex_mol)
    error->all(FLERR, "pair_style glassvae: the model cannot leave out pairs: use neigh_modify exclude none");
  host->check_neighbors();
  if (!atom->rmass_flag) host->check_masses();
  latent_step = -1;
  if (driver) driver->begin_run();
}

/* ---------------------------------------------------------------------- */

double PairGlassVAE::init_one(int, int)
{ return host->model.cutoff; }

/* ---------------------------------------------------------------------- */

void PairGlassVAE::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  driver->encode();

  const std::size_t nnodes = driver->atoms.species.size();
  energies.assign(driver->atoms.nowned, 0.0);
  forces.assign(3 * nnodes, 0.0);
  virials.assign(vflag_atom ? 6 * nnodes : 0, 0.0);
  vitrify::EnergyResult result;
  result.energies = energies.data();
  result.forces = forces.data();
  if (vflag_global) result.virial = virial;
  if (vflag_atom) result.virials = virials.data();
  if (driver->add_forces(result))
    store();
  else
    std::fill_n(virial, 6, 0.0);    // until all ranks stop, nobody may read values that are not numbers
  latent_step = update->ntimestep;
  pvector[0] = comm->me == 0 ? static_cast<double>(driver->watch.outside()) : 0.0;    // compute pair adds up the ranks
}

/* ----------------------------------------------------------------------
   LAMMPS adds the forces on ghosts to those on their owners
------------------------------------------------------------------------- */

void PairGlassVAE::store()
{
  if (eflag_global) eng_vdwl += std::accumulate(energies.begin(), energies.end(), 0.0);
  const std::vector<int> &nodes = driver->atoms.nodes;
  for (std::size_t i = 0; i < nodes.size(); i++) {
    const int node = nodes[i];
    if (node < 0) continue;
    for (int k = 0; k < 3; k++) atom->f[i][k] += forces[3 * node + k];
    if (eflag_atom && node < driver->atoms.nowned) eatom[i] += energies[node];
    if (vflag_atom)
      for (int k = 0; k < 6; k++) vatom[i][k] += virials[6 * node + k];
  }
}

/* ---------------------------------------------------------------------- */

const std::vector<double> *PairGlassVAE::latent(const ModelHost &other) const
{
  const bool same = host && host->path == other.path && host->engine_name == other.engine_name &&
                    host->species_of_type == other.species_of_type;
  return same && latent_step == update->ntimestep ? &host->energy_engine->latent() : nullptr;
}

/* ---------------------------------------------------------------------- */

double PairGlassVAE::memory_usage()
{
  const std::size_t own = sizeof(double) * (energies.capacity() + forces.capacity() + virials.capacity());
  return Pair::memory_usage() + static_cast<double>(own + (driver ? driver->bytes() : 0));
}
