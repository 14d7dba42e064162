/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   fix ID all ogn MODEL El1 El2 ... [engine native|torch] [device cpu|cuda|cuda:n] [energy none|rescale]
                                    [langevin T damp seed] [guard yes|no [fallback M]] [check yes|no]

   A learned integrator: each timestep is one prediction of a graph network, x += dr and v += dv.

   scalar: energy that `energy rescale` or `langevin` has taken out of the atoms so far, as for LAMMPS's own thermostats
   vector: 1-3 momentum and 4 kinetic energy that the last stride added to the atoms,
           5 energy that `energy rescale` holds, 6 its last velocity factor,
           7 number of predictions, 8 number of strides that the guard's fallback took in their place,
           9 number of strides since this fix was made that began outside of the training data

   This class is the face towards LAMMPS: it has the callbacks, moves the atoms and counts. Its collaborators make the
   prediction (OGNPredictor), refuse it (OGNGuard), replace it (VerletStride) and control the energy (OGNEnergyControl).
------------------------------------------------------------------------- */

#ifndef LMP_FIX_OGN_H
#define LMP_FIX_OGN_H

#include "fix.h"

#include "lammps/host/model_host.h"
#include "lammps/host/model_watch.h"
#include "lammps/ogn/ogn_checks.h"
#include "lammps/ogn/ogn_energy_control.h"
#include "lammps/ogn/ogn_guard.h"
#include "lammps/ogn/ogn_predictor.h"
#include "lammps/ogn/ogn_settings.h"

#include <memory>
#include <string>
#include <vector>

namespace LAMMPS_NS {

struct Motion;

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
  ModelHost host;
  OGNSettings settings;
  OGNChecks checks;
  OGNPredictor predictor;
  std::unique_ptr<OGNGuard> guard;    // since the model is known
  OGNEnergyControl energy_control;
  std::unique_ptr<ModelWatch> watch;    // since the model is known
  std::vector<double> counts;           // atoms of each species on all ranks
  bool first_stride;                    // of a run

  // output

  double momentum_local[3], kinetic_local;
  bigint npredictions, nfallbacks;
  bigint nfallbacks_of_run;

  // settings of LAMMPS that this fix changes, and puts back when it is deleted

  double user_ghost_cutoff, own_ghost_cutoff;    // of comm_modify cutoff; own: -1.0 while it is not changed
  double own_sort_binsize;                       // of atom_modify sort; 0.0 while it is not changed

  void read_arguments(int, char **);
  void report_model();
  void request_ghosts();
  vitrify::Observed structure(const Motion &) const;
  std::string compare_with_training(const Motion &, bool);
  void move_atoms();
  bool is_reported() const;
  void fall_back(const std::string &);
};

}    // namespace LAMMPS_NS

#endif
