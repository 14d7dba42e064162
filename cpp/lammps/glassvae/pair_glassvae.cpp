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
#include <cstring>
#include <numeric>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

PairGlassVAE::PairGlassVAE(LAMMPS *lmp) : Pair(lmp), extracted(0.0), latent_step(-1), checked_pairs(false)
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
                          "{}MODEL El1 El2 ...",
                          arg[0], sub_style()));
}

/* ---------------------------------------------------------------------- */

void PairGlassVAE::allocate()
{
  const int n = atom->ntypes + 1;
  memory->create(setflag, n, n, "pair:setflag");
  memory->create(cutsq, n, n, "pair:cutsq");
  std::fill_n(cutsq[0], n * n, 0.0);
  allocated = 1;
}

/* ----------------------------------------------------------------------
   no pair has coefficients, so that LAMMPS refuses to run
------------------------------------------------------------------------- */

void PairGlassVAE::forget_model()
{
  const int n = atom->ntypes + 1;
  std::fill_n(setflag[0], n * n, 0);
  driver.reset();
  host.reset();
  latent_step = -1;
}

/* ---------------------------------------------------------------------- */

void PairGlassVAE::fail_without_model()
{
  error->all(FLERR,
             fmt::format("pair_style glassvae: All pair coeffs are not set: there is no model, or the last pair_coeff "
                         "failed: use pair_coeff * * {}MODEL El1 El2 ...",
                         sub_style()));
}

/* ----------------------------------------------------------------------
   the words that pair_style hybrid takes off a pair_coeff command before the model, with a space; empty without hybrid
------------------------------------------------------------------------- */

std::string PairGlassVAE::sub_style()
{
  if (!utils::strmatch(force->pair_style, "^hybrid")) return "";

  // of one sub-style alone, hybrid gives that one for every number

  const auto find = [this](int k) { return force->pair_match("glassvae", 1, k); };
  if (find(1) == find(2)) return "glassvae ";
  for (int k = 1; find(k); k++)
    if (find(k) == this) return fmt::format("glassvae {} ", k);
  return "glassvae ";
}

/* ----------------------------------------------------------------------
   LAMMPS itself refuses other words than * * before the model
------------------------------------------------------------------------- */

void PairGlassVAE::coeff(int narg, char **arg)
{
  if (narg < 3) utils::missing_cmd_args(FLERR, "pair_coeff for pair_style glassvae", error);
  if (!allocated) allocate();

  forget_model();    // if the new one fails, and somebody catches that, neither is left

  std::unique_ptr<ModelHost> opened(new ModelHost(lmp, "pair_style glassvae", "glassvae"));
  opened->words_of_host = sub_style();
  opened->read_arguments(2, narg, arg, {ModelHost::FORCE}, true,
                         [&opened](int iarg, int n, char **words) { return opened->read_force(iarg, n, words); });
  opened->check_system();
  host = std::move(opened);
  driver.reset(new EnergyDriver(lmp, *host, true));
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
  if (!host) fail_without_model();
  if (!force->newton_pair)
    error->all(FLERR, "pair_style glassvae: forces on ghosts belong to their owners: use newton on");
  driver->atoms.check_exclusions();
  host->check_neighbors();
  if (!atom->rmass_flag) host->check_masses();
  latent_step = -1;
  driver->begin_run();
  given.assign((atom->ntypes + 1) * (atom->ntypes + 1), false);
  checked_pairs = false;
}

/* ----------------------------------------------------------------------
   hybrid asks for the pairs that are this style's, and for no other ones
------------------------------------------------------------------------- */

double PairGlassVAE::init_one(int i, int j)
{
  given[i * (atom->ntypes + 1) + j] = true;
  return host->model.cutoff;
}

/* ---------------------------------------------------------------------- */

void *PairGlassVAE::extract(const char *name, int &dim)
{
  dim = 0;
  if (host && (strcmp(name, "cut") == 0 || strcmp(name, "cut_global") == 0)) {
    extracted = host->model.cutoff;
    return &extracted;
  }
  if (driver && strcmp(name, "collective_calls") == 0) return &driver->ncollective;
  return nullptr;
}

/* ----------------------------------------------------------------------
   the model finds pairs by itself, so that what LAMMPS leaves out of its lists must be known to it or be refused;
   neigh_modify, fixes and bonds may change that at any time
------------------------------------------------------------------------- */

void PairGlassVAE::check_pairs()
{
  driver->atoms.hide_excluded_groups();
  if (atom->molecular != Atom::ATOMIC && (neighbor->ago == 0 || !checked_pairs)) check_bonds();
  if (checked_pairs) return;
  checked_pairs = true;
  if (utils::strmatch(force->pair_style, "^hybrid/molecular"))
    error->all(FLERR, "pair_style glassvae: the model sees all pairs, within and between molecules: use pair_style "
                      "hybrid/overlay");
  for (int i = 1; i <= atom->ntypes; i++)
    for (int j = i; j <= atom->ntypes; j++)
      if (setflag[i][j] && !given[i * (atom->ntypes + 1) + j])
        error->all(FLERR,
                   fmt::format("pair_style glassvae: pair_coeff gives types {} and {} to another style, but the model "
                               "sees all pairs of its types: use hybrid/overlay, or map one of the types to NULL",
                               i, j));
}

/* ----------------------------------------------------------------------
   special_bonds leaves out or weakens pairs of bonded atoms
------------------------------------------------------------------------- */

void PairGlassVAE::check_bonds()
{
  static const char *WHAT = "the model sees pairs of bonded atoms like any other: use special_bonds lj 1 1 1, "
                            "or delete the bonds";
  bool whole = true;
  for (int k = 1; k <= 3; k++) whole = whole && force->special_lj[k] == 1.0;
  if (whole) return;
  if (atom->molecular == Atom::TEMPLATE) error->all(FLERR, fmt::format("pair_style glassvae: {}", WHAT));
  for (int i = 0; i < atom->nlocal; i++)
    if (atom->nspecial[i][2] > 0 && host->species_of_type[atom->type[i]] >= 0) {
      driver->fail(fmt::format("atom {} has bonds: {}", atom->tag[i], WHAT));
      return;
    }
}

/* ---------------------------------------------------------------------- */

void PairGlassVAE::compute(int eflag, int vflag)
{
  if (!host) fail_without_model();
  ev_init(eflag, vflag);
  check_pairs();
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
  return same && !driver->atoms.hidden && latent_step == update->ntimestep ? &host->energy_engine->latent() : nullptr;
}

/* ---------------------------------------------------------------------- */

double PairGlassVAE::memory_usage()
{
  const std::size_t own = sizeof(double) * (energies.capacity() + forces.capacity() + virials.capacity());
  return Pair::memory_usage() + static_cast<double>(own + (driver ? driver->bytes() : 0));
}
