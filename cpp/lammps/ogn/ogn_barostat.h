/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Pressure control by fix ogn: keywords iso, aniso and tri; the law is that of rules/cell_rescaling.h

   The box changes at the beginning of a stride, with the virial of the timestep before, so that all output of a
   timestep belongs to one box. Whether it does depends on the number of the timestep alone, and so does the noise.
------------------------------------------------------------------------- */

#ifndef VITRIFY_OGN_BAROSTAT_H
#define VITRIFY_OGN_BAROSTAT_H

#include "pointers.h"

#include "lammps/forces/stride_stress.h"
#include "rules/cell_rescaling.h"

#include <memory>
#include <string>

namespace LAMMPS_NS {

class ModelHost;
struct BarostatSettings;
struct OGNRestart;
class OGNSettings;

class OGNBarostat : protected Pointers {
public:
  // `owner` is the ID of the fix; the settings have a barostat

  OGNBarostat(LAMMPS *lmp, ModelHost &host, const OGNSettings &settings, const std::string &owner);

  // what the fix tells LAMMPS of the box that it changes

  int box_change() const;

  // before a run

  void check() const;

  // the callbacks of the fix; `end_of_stride` belongs where the forces of a timestep are known, setup included

  void init();
  void end_of_stride();

  // at the beginning of a stride: change the box if it is time to, and return whether it was

  bool change_box();

  // energy that changes of the box have given to the atoms so far, to the first order, their number, and the pressure
  // that was wanted at the last one

  double energy() const { return given; }
  bigint count() const { return nchanges; }
  double target() const { return wanted; }

  std::string describe() const;

  void write_restart(OGNRestart &) const;
  void read_restart(const OGNRestart &);

private:
  struct Kinetic;

  ModelHost &host;
  const OGNSettings &settings;
  const double modulus;    // in pressure units
  vitrify::CellRescaling law;
  std::unique_ptr<StrideStress> stress;
  vitrify::Symmetric virial;    // of the last timestep that it was asked for
  double given, wanted;
  bigint nchanges;

  vitrify::CellRescaling make_law(const BarostatSettings &) const;
  bool is_due(bigint step) const;
  double now(const double *) const;
  Kinetic kinetic() const;
  void apply(const vitrify::CellChange &, const Kinetic &);
  void check_box() const;
};

}    // namespace LAMMPS_NS

#endif
