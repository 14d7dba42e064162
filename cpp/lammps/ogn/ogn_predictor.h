/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   One prediction of an integrator: the engine, the species of the atoms, and the exchange of values of ghosts
------------------------------------------------------------------------- */

#ifndef VITRIFY_OGN_PREDICTOR_H
#define VITRIFY_OGN_PREDICTOR_H

#include "pointers.h"

#include "base/geometry.h"
#include "lammps/host/model_host.h"
#include "rules/cell_rescaling.h"

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace LAMMPS_NS {

class OGNPredictor : protected Pointers {
public:
  OGNPredictor(LAMMPS *lmp, ModelHost &host) : Pointers(lmp), host(host), list(nullptr), exchanged(VELOCITIES) {}

  // numbers of one atom that are exchanged at most: ghosts receive velocities, then the node features of each layer

  int largest_message() const;

  // the neighbor list, for an engine that wants one

  void set_list(class NeighList *found) { list = found; }

  // to be called when atoms have changed their order, their ranks or their ghosts

  void update_species();

  // find the changes of position and velocity over one stride; `fix` carries the exchange with forward_comm
  // all ranks must call this; if it fails on one of them, the others go on, and failure() of this rank says why

  // with the virial of the stride if it is asked for, which the engine must know

  void predict(class Fix *fix, bool with_virial = false);

  const std::string &failure() const { return trouble; }
  const vitrify::Symmetric &virial() const { return stress; }     // of this rank, in energy units
  const double *position_changes() const { return dr.data(); }    // (nlocal, 3), in distance units
  const double *velocity_changes() const { return dv.data(); }    // (nlocal, 3), in velocity units

  // indices of the two closest atoms of species a >= b, which are `distance` apart

  std::pair<int, int> closest_atoms(int a, int b, double distance) const;

  // the fix hands its callbacks of the exchange on to these

  int pack_forward_comm(int n, const int *sendlist, double *buf);
  void unpack_forward_comm(int n, int first, const double *buf);

  std::size_t bytes() const;

private:
  ModelHost &host;
  class NeighList *list;
  std::vector<int> species;                   // of owned atoms and ghosts
  std::vector<double> dr, dv;                 // of owned atoms; the arrays may be longer
  std::array<vitrify::Vector3, 3> cell;       // of the box
  enum { VELOCITIES, FEATURES } exchanged;    // what forward_comm carries
  vitrify::Symmetric stress{};
  std::string trouble;    // what went wrong with this prediction on this rank

  void begin();
};

}    // namespace LAMMPS_NS

#endif
