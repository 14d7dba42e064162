/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   fix ID all ogn MODEL El1 El2 ... [engine native|torch] [device cpu|cuda|cuda:n] [energy none|rescale]
                                    [langevin T damp seed] [guard yes|no [fallback M]] [check yes|no]

   A learned integrator: each timestep is one prediction of a graph network, x += dr and v += dv.

   scalar: energy that `energy rescale` or `langevin` has taken out of the atoms so far, as for LAMMPS's own thermostats
   vector: 1-3 momentum and 4 kinetic energy that the last stride added to the atoms,
           5 energy that `energy rescale` holds, 6 its last velocity factor,
           7 number of predictions, 8 number of strides that the guard's fallback took in their place
------------------------------------------------------------------------- */

#ifndef LMP_FIX_OGN_H
#define LMP_FIX_OGN_H

#include "fix.h"

#include "lammps/host/model_host.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class FixOGN : public Fix {
public:
  FixOGN(class LAMMPS *, int, char **);
  ~FixOGN() override;

  int setmask() override;
  void init() override;
  void init_list(int, class NeighList *) override;
  void setup(int) override;
  void setup_post_neighbor() override;
  void post_neighbor() override;
  void initial_integrate(int) override;
  void final_integrate() override;
  void post_run() override;
  void write_restart(FILE *) override;
  void restart(char *) override;
  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  double compute_scalar() override;
  double compute_vector(int) override;
  double memory_usage() override;

private:
  // the model

  ModelHost host;
  const vitrify::Metadata &model;    // the host's

  // keywords

  bool rescale_flag, langevin_flag, guard_flag;
  double langevin_temp, langevin_damp;
  int langevin_seed;
  int fallback_steps;    // 0 = a stride that the guard refuses is an error

  // one prediction

  class NeighList *list;
  std::vector<int> species;                   // of owned atoms and ghosts
  std::vector<double> dr, dv;                 // of owned atoms, and some more
  enum { VELOCITIES, FEATURES } exchanged;    // what forward_comm carries

  // energy control and output

  class Compute *pe;
  bool has_target;
  double target_energy, rescale_factor;
  double work_before, work_local;    // work that all ranks have counted, and that this one adds to it
  double momentum_local[3], kinetic_local;
  bigint npredictions, nfallbacks;
  bigint nfallbacks_of_run;

  void read_arguments(int, char **);
  int read_keyword(int, int, char **);
  void report_model();

  void check_system();
  void check_run();
  void check_timestep();
  void check_neighbors();
  void check_other_fixes();
  void check_energy();
  void check_lost_atoms();

  void predict();
  void move_atoms();
  void langevin_half_step(int);

  struct Motion {
    double kinetic;        // kinetic energy relative to the centre of mass
    double momentum[3];    // total momentum
    double mass;           // total mass
    bool finite;           // all positions and velocities are numbers
  };
  Motion motion();
  double kinetic_of_centre(const Motion &) const;

  // guard

  struct Refusal {
    double severity = 0.0;    // the highest one is reported; 0 = there is nothing to refuse
    enum { NOTHING, NOT_FINITE, FAR, CLOSE } what = NOTHING;
    int first = 0, second = 0;    // an atom, or a pair of species
    double value = 0.0;
  };
  void check_start(const Motion &);
  std::string too_hot(const Motion &);
  std::string refuse(const Motion &);
  Refusal refuse_distances();
  Refusal refuse_changes(const Motion &);
  std::string describe(const Refusal &);
  std::string closest_atoms(int, int, double);
  bool is_reported() const;
  void fall_back(const std::string &);
};

}    // namespace LAMMPS_NS

#endif
