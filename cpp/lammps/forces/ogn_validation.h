/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Compares predictions with exact strides while a run goes on: keyword validate N [tolerance]

   every N-th stride is also taken in MD steps of the pair style, whose result is used; what the model predicted from
   the same start travels with the atoms, which may change ranks meanwhile
------------------------------------------------------------------------- */

#ifndef VITRIFY_OGN_VALIDATION_H
#define VITRIFY_OGN_VALIDATION_H

#include "pointers.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class ModelHost;

class OGNValidation : protected Pointers {
public:
  static constexpr int NVALUES = 6;    // for each atom: predicted position and velocity

  OGNValidation(LAMMPS *lmp, const ModelHost &host, int every, double tolerance);

  // every how many strides; 0: never

  bool active() const { return every > 0; }
  bool is_due();

  // keep the prediction of this stride, before any atom moves

  void keep(const double *dr, const double *dv);

  // compare it with where the atoms are after the exact stride; all ranks must call this
  // warns once in a run, or stops, if the error is beyond the tolerance

  void compare();

  // end_run returns what to say of the strides since the last call, empty if there are none

  void begin_run();
  std::string end_run();

  // root mean square errors of a component in the last validated stride, and number of such strides so far

  double position_error() const { return rms_x; }
  double velocity_error() const { return rms_v; }
  bigint count() const { return ncompared; }

  // the predictions as per-atom arrays of a fix

  void grow(int nmax) { predicted.resize(NVALUES * static_cast<std::size_t>(nmax)); }
  void copy(int i, int j);
  int pack(int i, double *buf) const;
  int unpack(int i, const double *buf);

private:
  const ModelHost &host;
  const int every;
  const double tolerance;    // times the error of the training data; 0.0: warn only
  bigint nstrides;           // of this run
  std::vector<double> predicted;
  double rms_x, rms_v;
  double worst;           // error over that of the training data, in this run
  double sum_x, sum_v;    // of squares of the errors of this run
  bigint ncompared, nrun;
  bool warned;

  void restart_sums();
  double over_training() const;
  std::string describe() const;
};

}    // namespace LAMMPS_NS

#endif
