/* SPDX-License-Identifier: GPL-2.0-only */

#include "fix_ogn.h"

#include "core/model_file.h"
#include "engine_loader.h"

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

static constexpr int NVECTOR = 7;
static constexpr int NRESTART = 4;

/* ---------------------------------------------------------------------- */

FixOGN::FixOGN(LAMMPS *lmp, int narg, char **arg) :
    Fix(lmp, narg, arg), device("cpu"), rescale_flag(false), langevin_flag(false), check_flag(false),
    langevin_temp(0.0), langevin_damp(0.0), langevin_seed(0), list(nullptr), exchanged(VELOCITIES), pe(nullptr),
    has_target(false), target_energy(0.0), rescale_factor(1.0), work_before(0.0), work_local(0.0),
    momentum_local{0.0, 0.0, 0.0}, kinetic_local(0.0), npredictions(0)
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

  comm_forward = MAX(3, model.node_width);
}

/* ---------------------------------------------------------------------- */

FixOGN::~FixOGN() = default;

/* ----------------------------------------------------------------------
   stop all ranks with one message if any rank has one; all ranks must call this
------------------------------------------------------------------------- */

void FixOGN::fail_if(const std::string &message)
{
  int failed = message.empty() ? 0 : 1;
  int nfailed = 0;
  MPI_Allreduce(&failed, &nfailed, 1, MPI_INT, MPI_SUM, world);
  if (nfailed == comm->nprocs) error->all(FLERR, "fix ogn: " + message);
  if (failed) error->one(FLERR, "fix ogn: " + message);
}

/* ----------------------------------------------------------------------
   run `action` of the model's code; no exception of it may reach LAMMPS
------------------------------------------------------------------------- */

template <typename Action> void FixOGN::guarded(Action &&action)
{
  std::string message;
  try {
    action();
    return;
  } catch (const std::exception &e) {
    message = e.what();
  } catch (...) {
    message = "unknown error";
  }
  error->one(FLERR, "fix ogn: the prediction of step " + std::to_string(update->ntimestep) + " failed: " + message);
}

/* ---------------------------------------------------------------------- */

void FixOGN::open_model(const std::string &name)
{
  std::string message, path;
  try {
    path = vitrify::find_model(name, vitrify::shipped_model_folders());
    model = vitrify::ModelFile(path).metadata();
  } catch (const std::exception &e) {
    message = e.what();
  }
  fail_if(message);

  // GPUs are shared out among the ranks of a node

  MPI_Comm node;
  int local_rank = 0;
  MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, comm->me, MPI_INFO_NULL, &node);
  MPI_Comm_rank(node, &local_rank);
  MPI_Comm_free(&node);

  try {
    engine = vitrify::make_torch_engine({path, device, local_rank});
    if (check_flag) {
      const double deviation = vitrify::reference_error(*engine, model);
      if (!(deviation <= model.reference.tolerance))
        message =
            fmt::format("model file {} does not reproduce its reference case: relative error {:.3g}, allowed {:.3g}; "
                        "export the model again, or see `vitrify doctor`",
                        path, deviation, model.reference.tolerance);
      else if (comm->me == 0)
        utils::logmesg(lmp, "fix ogn: reference case reproduced, relative error {:.3g}\n", deviation);
    }
  } catch (const std::exception &e) {
    message = e.what();
  }
  fail_if(message);
}

/* ---------------------------------------------------------------------- */

int FixOGN::setmask()
{ return INITIAL_INTEGRATE | FINAL_INTEGRATE; }

/* ---------------------------------------------------------------------- */

void FixOGN::init()
{
  // a minimization calls this as well, but moves atoms without this fix

  if (update->whichflag == 1) check_run();

  // neighbors up to the model's cutoff (LAMMPS adds the skin), and ghosts to match, whatever the pair style needs

  neighbor->add_request(this, NeighConst::REQ_FULL)->set_cutoff(model.cutoff);
  if (!force->pair || model.cutoff > force->pair->cutforce)
    comm->cutghostuser = MAX(comm->cutghostuser, model.cutoff + neighbor->skin);

  if (rescale_flag) {
    pe = modify->get_compute_by_id("thermo_pe");
    pe->addstep(update->ntimestep);
  }
}

/* ---------------------------------------------------------------------- */

void FixOGN::init_list(int /*id*/, NeighList *ptr)
{ list = ptr; }

/* ---------------------------------------------------------------------- */

void FixOGN::initial_integrate(int /*vflag*/)
{
  check_timestep();
  if (neighbor->ago == 0) check_lost_atoms();

  if (langevin_flag) langevin_half_step(0);
  build_graph();
  predict();
  move_atoms();
  if (langevin_flag) langevin_half_step(1);
  ++npredictions;
}

/* ----------------------------------------------------------------------
   nodes: owned atoms, then ghosts; edges: every image closer than the model's cutoff
   positions of ghosts are current, because LAMMPS communicated them after the last move
   the list holds every pair closer than cutoff + skin when it was built, and since then no atom has moved
   further than half of the skin (neigh_modify check yes), so it holds every pair closer than the cutoff
------------------------------------------------------------------------- */

void FixOGN::build_graph()
{
  double **x = atom->x;
  double **v = atom->v;
  const int nlocal = atom->nlocal;
  const int nall = nlocal + atom->nghost;

  graph.n_owned = nlocal;
  graph.types.resize(nall);
  graph.velocities.resize(3 * static_cast<std::size_t>(nall));
  for (int i = 0; i < nall; i++) graph.types[i] = species_of_type[atom->type[i]];
  for (int i = 0; i < nlocal; i++) {
    check_atom(x[i], v[i], i, "before");
    for (int k = 0; k < 3; k++) graph.velocities[3 * static_cast<std::size_t>(i) + k] = v[i][k];
  }
  exchanged = VELOCITIES;
  comm->forward_comm(this, 3);

  const double cutsq = model.cutoff * model.cutoff;
  graph.clear_edges();
  for (int ii = 0; ii < list->inum; ii++) {
    const int i = list->ilist[ii];
    const int *jlist = list->firstneigh[i];
    for (int jj = 0; jj < list->numneigh[i]; jj++) {
      const int j = jlist[jj] & NEIGHMASK;
      const double vector[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
      if (vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2] >= cutsq) continue;
      graph.add_edge(i, j, vector);
      if (model.reverse_edges && j >= nlocal) {
        const double back[3] = {-vector[0], -vector[1], -vector[2]};
        graph.add_edge(j, i, back);
      }
    }
  }
}

/* ---------------------------------------------------------------------- */

void FixOGN::predict()
{
  guarded([this] { engine->begin(graph); });
  exchanged = FEATURES;
  for (int index = 0; index < model.layers; index++) {
    guarded([this, index] { engine->layer(index); });
    comm->forward_comm(this, model.node_width);
  }
  dr.resize(3 * static_cast<std::size_t>(atom->nlocal));
  dv.resize(dr.size());
  guarded([this] { engine->finish(dr.data(), dv.data()); });
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
    check_atom(dri, dvi, i, "after");
    const double mass = atom->mass[atom->type[i]];
    for (int k = 0; k < 3; k++) {
      x[i][k] += dri[k];
      momentum_local[k] += mass * dvi[k];
      kinetic += 0.5 * mass * dvi[k] * (2.0 * v[i][k] + dvi[k]);
      v[i][k] += dvi[k];
    }
  }
  kinetic_local = force->mvv2e * kinetic;
}

/* ---------------------------------------------------------------------- */

int FixOGN::pack_forward_comm(int n, int *sendlist, double *buf, int /*pbc_flag*/, int * /*pbc*/)
{
  if (exchanged == FEATURES) {
    guarded([&] { engine->pack(n, sendlist, buf); });
    return n * model.node_width;
  }
  int m = 0;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < 3; k++) buf[m++] = graph.velocities[3 * static_cast<std::size_t>(sendlist[i]) + k];
  return m;
}

/* ---------------------------------------------------------------------- */

void FixOGN::unpack_forward_comm(int n, int first, double *buf)
{
  if (exchanged == FEATURES)
    guarded([&] { engine->unpack(n, first, buf); });
  else
    std::copy_n(buf, 3 * static_cast<std::size_t>(n), &graph.velocities[3 * static_cast<std::size_t>(first)]);
}

/* ---------------------------------------------------------------------- */

void FixOGN::write_restart(FILE *fp)
{
  const double work = compute_scalar();
  if (comm->me != 0) return;
  const double state[NRESTART] = {has_target ? 1.0 : 0.0, target_energy, work, static_cast<double>(npredictions)};
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
  const double mine = n < 3 ? momentum_local[n] : kinetic_local;
  double all = 0.0;
  MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, world);
  return all;
}

/* ---------------------------------------------------------------------- */

double FixOGN::memory_usage()
{ return static_cast<double>(graph.bytes()) + sizeof(double) * static_cast<double>(dr.capacity() + dv.capacity()); }
