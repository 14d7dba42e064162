/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/fix_ogn.h"

#include "lammps/forces/verlet_stride.h"
#include "lammps/host/list_request.h"
#include "lammps/ogn/motion.h"
#include "lammps/ogn/ogn_restart.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "neighbor.h"
#include "update.h"

#include <cstring>

using namespace LAMMPS_NS;
using namespace FixConst;

static constexpr int NVECTOR = 16;

static const std::string REMEDY =
    ": start from a state like those that the model was trained on, let guard yes fallback M with the real pair style "
    "take such strides, or go on with guard no";

/* ---------------------------------------------------------------------- */

FixOGN::FixOGN(LAMMPS *lmp, int narg, char **arg) :
    Fix(lmp, narg, arg), host(lmp, "fix ogn", "ogn"), settings(lmp), checks(lmp, host, settings), predictor(lmp, host),
    energy_control(lmp, settings), pair_on_demand(lmp), borrowed(lmp, host), first_stride(true), taking_md_steps(false),
    momentum_local{0.0, 0.0, 0.0}, kinetic_local(0.0), npredictions(0), nfallbacks(0), nfallbacks_of_run(0)
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
  guard.reset(new OGNGuard(lmp, host, predictor, settings.guard));
  watch.reset(new ModelWatch(lmp, host, !settings.guard, "guard no"));
  validation.reset(new OGNValidation(lmp, host, settings.validate_every, settings.tolerance));
  if (settings.barostat) add_barostat();
  report_model();
  checks.check_system();
  if (validation->active()) {
    maxexchange = OGNValidation::NVALUES;
    validation->grow(atom->nmax);
    atom->add_callback(Atom::GROW);
  }
  comm_forward = predictor.largest_message();
}

/* ---------------------------------------------------------------------- */

FixOGN::~FixOGN()
{
  if (validation && validation->active()) atom->delete_callback(id, Atom::GROW);
}

/* ---------------------------------------------------------------------- */

void FixOGN::read_arguments(int narg, char **arg)
{
  if (narg < 4) utils::missing_cmd_args(FLERR, "fix ogn", error);
  if (strcmp(arg[1], "all") != 0)
    error->all(
        FLERR,
        fmt::format("fix ogn: group {} is not supported, because the model moves every atom: use group all", arg[1]));

  host.read_arguments(3, narg, arg, OGNSettings::KEYWORDS, false,
                      [this](int iarg, int n, char **words) { return settings.read_keyword(iarg, n, words); });
  settings.check();
}

/* ---------------------------------------------------------------------- */

void FixOGN::add_barostat()
{
  checks.check_barostat(this);
  barostat.reset(new OGNBarostat(lmp, host, settings, id));
  barostat->check();
  box_change |= barostat->box_change();
  no_change_box = 1;
}

/* ---------------------------------------------------------------------- */

void FixOGN::report_model()
{
  if (comm->me != 0) return;
  const vitrify::Metadata &model = host.model;
  utils::logmesg(lmp, "fix ogn: engine {}, variant {}, {}, stride {}, timestep {}, cutoff {}; types {}\n",
                 host.engine_name, model.variant, model.dtype, model.stride, model.timestep, model.cutoff,
                 host.mapping);
  if (barostat) utils::logmesg(lmp, "fix ogn: {}\n", barostat->describe());
  if (settings.guard && !guard->has_all_limits()) utils::logmesg(lmp, "fix ogn: {}\n", vitrify::MISSING_LIMITS);
}

/* ---------------------------------------------------------------------- */

int FixOGN::setmask()
{ return POST_NEIGHBOR | INITIAL_INTEGRATE | PRE_FORCE | PRE_REVERSE | POST_FORCE | FINAL_INTEGRATE | END_OF_STEP; }

/* ---------------------------------------------------------------------- */

void FixOGN::init()
{
  // a minimization calls this as well, but moves atoms without this fix

  if (update->whichflag == 1) checks.check_run(this);

  // most engines find pairs faster than LAMMPS builds its lists, which long strides outdate soon

  if (host.engine->needs_lists())
    neighbor->add_request(this, NeighConst::REQ_NEWTON_OFF)->set_cutoff(host.model.cutoff);
  borrowed.borrow();
  energy_control.init();
  if (barostat) barostat->init();
}

/* ---------------------------------------------------------------------- */

void FixOGN::init_list(int /*id*/, NeighList *ptr)
{ predictor.set_list(ptr); }

/* ---------------------------------------------------------------------- */

void FixOGN::setup(int /*vflag*/)
{
  energy_control.setup();
  if (barostat) barostat->end_of_stride();
  pair_on_demand.begin_run(settings.pair_every);
  validation->begin_run();
  watch->begin_run();
  watch->warn(structure(total_motion(lmp)));
  first_stride = true;
}

/* ---------------------------------------------------------------------- */

void FixOGN::setup_post_neighbor()
{ post_neighbor(); }

/* ----------------------------------------------------------------------
   atoms have changed their order, their ranks and their ghosts
   LAMMPS calls this between two steps, and VerletStride within a step, from inside initial_integrate
------------------------------------------------------------------------- */

void FixOGN::post_neighbor()
{
  counts = checks.count_atoms();
  predictor.update_species();
}

/* ---------------------------------------------------------------------- */

void FixOGN::initial_integrate(int /*vflag*/)
{
  checks.check_timestep();
  if (barostat ? barostat->change_box() : domain->box_change != 0) VerletStride(lmp).update_neighbors();
  energy_control.langevin_half_step(0);

  const Motion start = total_motion(lmp);
  guard->check_start(start);
  std::string refusal = guard->refuse_start(start);
  const bool predicted = refusal.empty();
  if (predicted) {
    predictor.predict(this);
    refusal = guard->refuse_prediction(start, is_reported());
  }
  refusal += compare_with_training(start, predicted);
  if (!refusal.empty())
    fall_back(refusal);
  else if (validation->is_due())
    validate();
  else
    move_atoms();

  energy_control.langevin_half_step(1);
}

/* ---------------------------------------------------------------------- */

vitrify::Observed FixOGN::structure(const Motion &start) const
{
  vitrify::Observed observed = watch->structure(counts);
  observed.temperature = guard->temperature(start);
  return observed;
}

/* ----------------------------------------------------------------------
   closest pairs of all ranks are found in the first stride of a run, which tells whether elements are swapped, and
   where a rank has pairs that are too close; returns a hint that belongs to a refusal
------------------------------------------------------------------------- */

std::string FixOGN::compare_with_training(const Motion &start, bool predicted)
{
  vitrify::Observed observed = structure(start);
  std::string hint;
  if (predicted && (first_stride || guard->has_close_pairs())) {
    observed.closest = guard->closest();
    watch->refuse(observed);
    if (guard->has_refused()) hint = watch->hint(observed);
    first_stride = false;
  }
  watch->count(observed);
  return hint;
}

/* ---------------------------------------------------------------------- */

void FixOGN::move_atoms()
{
  kinetic_local = move_by(lmp, predictor.position_changes(), predictor.velocity_changes(), momentum_local);
  ++npredictions;
}

/* ----------------------------------------------------------------------
   a refused stride is an error, or one of the first that the fallback takes in a run
------------------------------------------------------------------------- */

bool FixOGN::is_reported() const
{ return !settings.fallback_steps || nfallbacks_of_run < vitrify::REPORTED_FALLBACKS; }

/* ----------------------------------------------------------------------
   the whole stride in steps of velocity Verlet, from where it began; no atom has moved yet
   VerletStride rebuilds neighbor lists as LAMMPS does, so that atoms may change ranks here and
   Modify::post_neighbor calls post_neighbor of all fixes, and of this one, before the stride ends
------------------------------------------------------------------------- */

void FixOGN::fall_back(const std::string &reason)
{
  if (!settings.fallback_steps)
    error->all(FLERR, fmt::format("fix ogn: {} at step {}{}", reason, update->ntimestep, settings.guard ? REMEDY : ""));
  if (comm->me == 0 && is_reported())
    utils::logmesg(
        lmp, "fix ogn: {}\n",
        vitrify::describe_fallback(reason, update->ntimestep, settings.fallback_steps, nfallbacks_of_run + 1));

  take_md_steps(settings.fallback_steps);
  ++nfallbacks;
  ++nfallbacks_of_run;
}

/* ----------------------------------------------------------------------
   the MD steps that the model replaces, whose result is used: comparing costs time and no accuracy
------------------------------------------------------------------------- */

void FixOGN::validate()
{
  validation->keep(predictor.position_changes(), predictor.velocity_changes());
  take_md_steps(host.model.stride);
  validation->compare();
}

/* ---------------------------------------------------------------------- */

void FixOGN::take_md_steps(int nsteps)
{
  const Motion before = total_motion(lmp);
  taking_md_steps = true;
  VerletStride(lmp).run(nsteps, update->dt / nsteps);
  taking_md_steps = false;
  const Motion after = total_motion(lmp);

  // sums over all ranks: one of them counts them

  for (int k = 0; k < 3; k++) momentum_local[k] = comm->me == 0 ? after.momentum[k] - before.momentum[k] : 0.0;
  kinetic_local = comm->me == 0 ? after.kinetic - before.kinetic : 0.0;
}

/* ----------------------------------------------------------------------
   MD steps within a stride compute their forces
------------------------------------------------------------------------- */

void FixOGN::pre_force(int /*vflag*/)
{
  if (!taking_md_steps) pair_on_demand.pre_force();
}

/* ---------------------------------------------------------------------- */

void FixOGN::pre_reverse(int /*eflag*/, int /*vflag*/)
{
  if (!taking_md_steps) pair_on_demand.pre_reverse();
}

/* ---------------------------------------------------------------------- */

void FixOGN::post_force(int /*vflag*/)
{ pair_on_demand.post_force(); }

/* ---------------------------------------------------------------------- */

void FixOGN::final_integrate()
{
  energy_control.rescale();
  if (barostat) barostat->end_of_stride();
}

/* ----------------------------------------------------------------------
   the summary of a run stands before the last row of thermo output, which scripts look for right above the loop time
------------------------------------------------------------------------- */

void FixOGN::end_of_step()
{
  if (update->ntimestep == update->laststep) post_run();
}

/* ----------------------------------------------------------------------
   what it tells of begins anew: LAMMPS calls it again after the last row, and before a run without setup (pre no)
------------------------------------------------------------------------- */

void FixOGN::post_run()
{
  if (comm->me == 0 && nfallbacks_of_run > 0)
    utils::logmesg(lmp, "fix ogn: {}\n", vitrify::describe_fallbacks(nfallbacks_of_run));
  nfallbacks_of_run = 0;
  for (const std::string &line : {validation->end_run(), pair_on_demand.end_run()})
    if (comm->me == 0 && !line.empty()) utils::logmesg(lmp, "fix ogn: {}\n", line);
  watch->end_run("strides");
  const std::string profile = host.engine->profile();
  if (comm->me == 0 && !profile.empty()) utils::logmesg(lmp, "fix ogn: {}\n", profile);
}

/* ---------------------------------------------------------------------- */

int FixOGN::pack_forward_comm(int n, int *sendlist, double *buf, int /*pbc_flag*/, int * /*pbc*/)
{ return predictor.pack_forward_comm(n, sendlist, buf); }

/* ---------------------------------------------------------------------- */

void FixOGN::unpack_forward_comm(int n, int first, double *buf)
{ predictor.unpack_forward_comm(n, first, buf); }

/* ---------------------------------------------------------------------- */

void FixOGN::write_restart(FILE *fp)
{
  OGNRestart state;
  energy_control.write_restart(state);
  if (barostat) barostat->write_restart(state);
  state.npredictions = npredictions;
  state.nfallbacks = nfallbacks;
  if (comm->me == 0) state.write(fp);
}

/* ---------------------------------------------------------------------- */

void FixOGN::restart(char *buf)
{
  OGNRestart state;
  const std::string message = state.unpack(buf);
  if (!message.empty())
    error->all(FLERR, fmt::format("fix ogn: the restart file's data of fix {} cannot be used: {}", id, message));
  energy_control.read_restart(state);
  if (barostat) barostat->read_restart(state);
  npredictions = state.npredictions;
  nfallbacks = state.nfallbacks;
}

/* ---------------------------------------------------------------------- */

double FixOGN::compute_scalar()
{ return energy_control.work() - (barostat ? barostat->energy() : 0.0); }

/* ---------------------------------------------------------------------- */

double FixOGN::compute_vector(int n)
{
  if (n == 4) return energy_control.target_energy();
  if (n == 5) return energy_control.rescale_factor();
  if (n == 6) return static_cast<double>(npredictions);
  if (n == 7) return static_cast<double>(nfallbacks);
  if (n == 8) return static_cast<double>(watch->outside());
  if (n == 9) return static_cast<double>(pair_on_demand.computed());
  if (n == 10) return static_cast<double>(validation->count());
  if (n == 11) return validation->position_error();
  if (n == 12) return validation->velocity_error();
  if (n > 12 && !barostat) return 0.0;
  if (n == 13) return static_cast<double>(barostat->count());
  if (n == 14) return barostat->energy();
  if (n == 15) return barostat->target();
  const double mine = n < 3 ? momentum_local[n] : kinetic_local;
  double all = 0.0;
  MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, world);
  return all;
}

/* ---------------------------------------------------------------------- */

double FixOGN::memory_usage()
{ return static_cast<double>(predictor.bytes()); }
