/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Drives the engine of a latent model: the atoms that it sees, pooled_features and pooled_gradient over all ranks,
warnings
------------------------------------------------------------------------- */

#ifndef VITRIFY_ENERGY_DRIVER_H
#define VITRIFY_ENERGY_DRIVER_H

#include "pointers.h"

#include "engines/energy_engine.h"
#include "lammps/host/model_host.h"
#include "lammps/host/model_nodes.h"

#include <cstddef>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class EnergyDriver : protected Pointers {
public:
  EnergyDriver(LAMMPS *lmp, ModelHost &host) :
      Pointers(lmp), atoms(lmp, host), host(host), warned_range(false), warned_close(false)
  {
  }

  ModelNodes atoms;

  // z of the atoms as they stand; a rank without atoms calls this, too

  const std::vector<double> &encode();

  // adds what the model says of them to the arrays, which hold zeros

  void finish(const vitrify::EnergyResult &result);

  std::size_t bytes() const;

private:
  ModelHost &host;
  bool warned_range, warned_close;
  std::vector<double> sums;
  std::string trouble;    // what went wrong with this prediction on this rank

  void add_up(std::vector<double>);
  void stop_if_in_trouble();
  void check_numbers(const double *, int, int, const std::string &);
  void warn_of_distances();
};

}    // namespace LAMMPS_NS

#endif
