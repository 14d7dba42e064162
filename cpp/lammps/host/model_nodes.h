/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   The atoms that a model sees: owned atoms, then ghosts, without those of types that are mapped to NULL and those of
   groups that neigh_modify exclude keeps from all atoms, which are as good as not there
------------------------------------------------------------------------- */

#ifndef VITRIFY_MODEL_NODES_H
#define VITRIFY_MODEL_NODES_H

#include "pointers.h"

#include "neighbours/configuration.h"

#include <cstddef>
#include <vector>

namespace LAMMPS_NS {

class ModelHost;

class ModelNodes : protected Pointers {
public:
  ModelNodes(LAMMPS *lmp, const ModelHost &host) : Pointers(lmp), hidden(0), nowned(0), host(host) {}

  int hidden;    // bits of the groups that are not there
  int nowned;
  std::vector<int> nodes;    // node of each owned atom and ghost, -1 for none
  std::vector<int> species;
  std::vector<double> positions;

  // stop for what neigh_modify exclude leaves out, except groups that are kept from all atoms, which are as good as not
  // there: other exclusions leave out some pairs of atoms that are there, and a model cannot

  void check_exclusions() const;

  // checks that, and finds the hidden groups, which neigh_modify and fixes may change at any time; all ranks must call
  // this

  void hide_excluded_groups();

  // reads all atoms; what it returns points into this object

  vitrify::Configuration find();

  // owned atoms of each species

  std::vector<double> count() const;

  std::size_t bytes() const;

private:
  const ModelHost &host;
};

}    // namespace LAMMPS_NS

#endif
