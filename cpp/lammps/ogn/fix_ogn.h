/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   fix ID all ogn MODEL El1 El2 ... [engine native|torch] [device cpu|cuda|cuda:n] [energy none|rescale]
                                    [langevin T damp seed] [guard yes|no [fallback M]] [check yes|no]
                                    [pair auto|every] [validate N [tolerance]]
                                    [iso|aniso|tri Pstart Pstop Pdamp [temp Tstart Tstop] [seed N] [modulus B]
                                                                      [every N] [pressure pair]]

   A learned integrator: each timestep is one prediction of a graph network, x += dr and v += dv.

   scalar: energy that `energy rescale`, `langevin` and changes of the box have taken out of the atoms so far, as for
           LAMMPS's own thermostats
   vector: 1-3 momentum and 4 kinetic energy that the last stride added to the atoms,
           5 energy that `energy rescale` holds, 6 its last velocity factor,
           7 number of predictions, 8 number of strides that the guard's fallback took in their place,
           9 number of strides since this fix was made that began outside of the training data,
           10 number of strides since then in which the pair style was computed, 11 of strides that MD validated,
           12 and 13 the errors of the last of these in positions and velocities (rms of a component),
           14 number of changes of the box, 15 energy that they have given to the atoms, to the first order,
           16 pressure that the last one went for

   This class is the face towards LAMMPS: it has the callbacks, moves the atoms and counts. Its collaborators make the
   prediction (OGNPredictor), refuse it (OGNGuard), replace it (VerletStride), compare it with MD (OGNValidation),
   control the energy (OGNEnergyControl) and the pressure (OGNBarostat), and save force calls (PairOnDemand).
------------------------------------------------------------------------- */

#ifndef LMP_FIX_OGN_H
#define LMP_FIX_OGN_H

#include "fix.h"

#include "lammps/forces/ogn_validation.h"
#include "lammps/forces/pair_on_demand.h"
#include "lammps/host/model_host.h"
#include "lammps/host/model_watch.h"
#include "lammps/ogn/borrowed_settings.h"
#include "lammps/ogn/ogn_barostat.h"
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
  void pre_force(int) override;
  void pre_reverse(int, int) override;
  void post_force(int) override;
  void final_integrate() override;
  void end_of_step() override;
  void post_run() override;
  void write_restart(FILE *) override;
  void restart(char *) override;
  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  double compute_scalar() override;
  double compute_vector(int) override;
  void grow_arrays(int nmax) override { validation->grow(nmax); }
  void copy_arrays(int i, int j, int) override { validation->copy(i, j); }
  int pack_exchange(int i, double *buf) override { return validation->pack(i, buf); }
  int unpack_exchange(int i, double *buf) override { return validation->unpack(i, buf); }
  double memory_usage() override;

private:
  ModelHost host;
  OGNSettings settings;
  OGNChecks checks;
  OGNPredictor predictor;
  std::unique_ptr<OGNGuard> guard;    // since the model is known
  OGNEnergyControl energy_control;
  std::unique_ptr<ModelWatch> watch;            // since the model is known
  std::unique_ptr<OGNValidation> validation;    // since its settings are known
  std::unique_ptr<OGNBarostat> barostat;        // if one is wanted
  PairOnDemand pair_on_demand;
  BorrowedSettings borrowed;
  std::vector<double> counts;    // atoms of each species on all ranks
  bool first_stride;             // of a run
  bool taking_md_steps;          // in place of a stride

  // output

  double momentum_local[3], kinetic_local;
  bigint npredictions, nfallbacks;
  bigint nfallbacks_of_run;

  void read_arguments(int, char **);
  void add_barostat();
  void report_model();
  vitrify::Observed structure(const Motion &) const;
  std::string compare_with_training(const Motion &, bool);
  void move_atoms();
  bool is_reported() const;
  void fall_back(const std::string &);
  void validate();
  void take_md_steps(int);
};

}    // namespace LAMMPS_NS

#endif
