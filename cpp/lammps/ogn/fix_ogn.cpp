/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/fix_ogn.h"

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "error.h"
#include "force.h"
#include "modify.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"

#include <algorithm>
#include <cstring>

using namespace LAMMPS_NS;
using namespace FixConst;

// the header of this class is not installed with LAMMPS; its symbols are exported

namespace LAMMPS_NS {
class NeighRequest {
public:
  void set_cutoff(double);
};
}    // namespace LAMMPS_NS

static constexpr int NVECTOR = 8;
static constexpr int NRESTART = 5;

/* ---------------------------------------------------------------------- */

FixOGN::FixOGN(LAMMPS *lmp, int narg, char **arg) :
    Fix(lmp, narg, arg), host(lmp, "fix ogn", "ogn"), model(host.model), rescale_flag(false), langevin_flag(false),
    guard_flag(true), langevin_temp(0.0), langevin_damp(0.0), langevin_seed(0), fallback_steps(0), list(nullptr),
    exchanged(VELOCITIES), pe(nullptr), has_target(false), target_energy(0.0), rescale_factor(1.0), work_before(0.0),
    work_local(0.0), momentum_local{0.0, 0.0, 0.0}, kinetic_local(0.0), npredictions(0), nfallbacks(0),
    nfallbacks_of_run(0)
{
  time_integrate = 1;
  restart_global = 1;
  scalar_flag = 1;
  extscalar = 1;
  ecouple_flag = 1;
  vector_flag = 1;
  size_vector = NVECTOR;
  extvector = 0;
  global_freq = 1;

  read_arguments(narg, arg);
  check_system();

  // ghosts receive their velocities, then the node features of each layer

  comm_forward = MAX(3, host.engine->width());
}

/* ---------------------------------------------------------------------- */

FixOGN::~FixOGN() = default;

/* ---------------------------------------------------------------------- */

int FixOGN::setmask()
{ return POST_NEIGHBOR | INITIAL_INTEGRATE | FINAL_INTEGRATE; }

/* ---------------------------------------------------------------------- */

void FixOGN::init()
{
  // a minimization calls this as well, but moves atoms without this fix

  if (update->whichflag == 1) check_run();

  // ghosts up to the model's cutoff plus the skin, whatever the pair style needs, and neighbors if the engine wants
  // them: most engines find pairs faster than LAMMPS builds its lists, which long strides outdate soon

  if (host.engine->needs_lists()) neighbor->add_request(this, NeighConst::REQ_NEWTON_OFF)->set_cutoff(model.cutoff);
  host.request_ghosts();

  // without a pair style LAMMPS has no bins to sort atoms in, and a long run would lose their order in memory

  if (!force->pair && atom->userbinsize == 0.0) atom->userbinsize = 0.5 * model.cutoff;

  if (rescale_flag) {
    pe = modify->get_compute_by_id("thermo_pe");
    pe->addstep(update->ntimestep);
  }
}

/* ---------------------------------------------------------------------- */

void FixOGN::init_list(int /*id*/, NeighList *ptr)
{ list = ptr; }

/* ---------------------------------------------------------------------- */

void FixOGN::setup_post_neighbor()
{ post_neighbor(); }

/* ----------------------------------------------------------------------
   atoms have changed their order, their ranks and their ghosts
------------------------------------------------------------------------- */

void FixOGN::post_neighbor()
{
  check_lost_atoms();
  const int nall = atom->nlocal + atom->nghost;
  if (species.size() < static_cast<std::size_t>(nall)) species.resize(atom->nmax);
  for (int i = 0; i < nall; i++) species[i] = host.species_of_type[atom->type[i]];
}

/* ---------------------------------------------------------------------- */

void FixOGN::initial_integrate(int /*vflag*/)
{
  check_timestep();
  if (langevin_flag) langevin_half_step(0);

  const Motion start = motion();
  check_start(start);
  std::string refusal = guard_flag ? too_hot(start) : "";
  if (refusal.empty()) {
    predict();
    refusal = refuse(start);
  }
  if (refusal.empty())
    move_atoms();
  else
    fall_back(refusal);

  if (langevin_flag) langevin_half_step(1);
}

/* ----------------------------------------------------------------------
   dr and dv of one stride
   positions of ghosts are current, because LAMMPS communicated them after the last move
   ghosts reach as far as cutoff + skin when they are chosen, the list holds every pair as close, and since then
   no atom has moved further than half of the skin (neigh_modify check yes), so that no pair within the cutoff is missed
------------------------------------------------------------------------- */

void FixOGN::predict()
{
  exchanged = VELOCITIES;
  comm->forward_comm(this, 3);

  const int nlocal = atom->nlocal;
  if (dr.size() < 3 * static_cast<std::size_t>(nlocal)) {
    dr.resize(3 * static_cast<std::size_t>(atom->nmax));
    dv.resize(dr.size());
  }
  vitrify::Configuration configuration;
  configuration.n_owned = nlocal;
  configuration.n_nodes = nlocal + atom->nghost;
  configuration.types = species.data();
  configuration.positions = atom->x[0];
  configuration.velocities = atom->v[0];
  if (list) {
    configuration.counts = list->numneigh;
    configuration.lists = list->firstneigh;
    configuration.mask = NEIGHMASK;
  }

  host.guarded([&] { host.engine->begin(configuration); });
  exchanged = FEATURES;
  for (int index = 0; index < model.layers; index++) {
    host.guarded([&] { host.engine->layer(index); });
    comm->forward_comm(this, host.engine->width());
  }
  host.guarded([&] { host.engine->finish(dr.data(), dv.data()); });
}

/* ---------------------------------------------------------------------- */

void FixOGN::move_atoms()
{
  double **x = atom->x;
  double **v = atom->v;

  double kinetic = 0.0;
  for (double &component : momentum_local) component = 0.0;
  for (int i = 0; i < atom->nlocal; i++) {
    const double *dri = &dr[3 * static_cast<std::size_t>(i)];
    const double *dvi = &dv[3 * static_cast<std::size_t>(i)];
    const double mass = atom->mass[atom->type[i]];
    for (int k = 0; k < 3; k++) {
      x[i][k] += dri[k];
      momentum_local[k] += mass * dvi[k];
      kinetic += 0.5 * mass * dvi[k] * (2.0 * v[i][k] + dvi[k]);
      v[i][k] += dvi[k];
    }
  }
  kinetic_local = force->mvv2e * kinetic;
  ++npredictions;
}

/* ---------------------------------------------------------------------- */

int FixOGN::pack_forward_comm(int n, int *sendlist, double *buf, int /*pbc_flag*/, int * /*pbc*/)
{
  if (exchanged == FEATURES) {
    host.guarded([&] { host.engine->pack(n, sendlist, buf); });
    return n * host.engine->width();
  }
  for (int i = 0; i < n; i++) std::copy_n(atom->v[sendlist[i]], 3, buf + 3 * static_cast<std::size_t>(i));
  return 3 * n;
}

/* ----------------------------------------------------------------------
   the rows of ghosts in the array of velocities are unused, or those of comm_modify vel yes, which are the same
------------------------------------------------------------------------- */

void FixOGN::unpack_forward_comm(int n, int first, double *buf)
{
  if (exchanged == FEATURES)
    host.guarded([&] { host.engine->unpack(n, first, buf); });
  else if (n > 0)
    std::copy_n(buf, 3 * static_cast<std::size_t>(n), atom->v[first]);
}

/* ---------------------------------------------------------------------- */

void FixOGN::write_restart(FILE *fp)
{
  const double work = compute_scalar();
  if (comm->me != 0) return;
  const double state[NRESTART] = {has_target ? 1.0 : 0.0, target_energy, work, static_cast<double>(npredictions),
                                  static_cast<double>(nfallbacks)};
  const int size = sizeof(state);
  fwrite(&size, sizeof(int), 1, fp);
  fwrite(state, sizeof(double), NRESTART, fp);
}

/* ---------------------------------------------------------------------- */

void FixOGN::restart(char *buf)
{
  double state[NRESTART];
  memcpy(state, buf, sizeof(state));
  has_target = state[0] != 0.0;
  target_energy = state[1];
  work_before = state[2];
  work_local = 0.0;
  npredictions = static_cast<bigint>(state[3]);
  nfallbacks = static_cast<bigint>(state[4]);
}

/* ---------------------------------------------------------------------- */

double FixOGN::compute_scalar()
{
  double work = 0.0;
  MPI_Allreduce(&work_local, &work, 1, MPI_DOUBLE, MPI_SUM, world);
  return work_before + work;
}

/* ---------------------------------------------------------------------- */

double FixOGN::compute_vector(int n)
{
  if (n == 4) return target_energy;
  if (n == 5) return rescale_factor;
  if (n == 6) return static_cast<double>(npredictions);
  if (n == 7) return static_cast<double>(nfallbacks);
  const double mine = n < 3 ? momentum_local[n] : kinetic_local;
  double all = 0.0;
  MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, world);
  return all;
}

/* ---------------------------------------------------------------------- */

double FixOGN::memory_usage()
{
  return static_cast<double>(host.engine->bytes() + sizeof(int) * species.capacity() +
                             sizeof(double) * (dr.capacity() + dv.capacity()));
}
