/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   compute ID all glassvae/latent MODEL El1 El2 ... [engine native|torch] [device cpu|cuda|cuda:n] [check yes|no]

   global vector: z, the latent vector of the structure; intensive
   atoms of a type that is mapped to NULL are invisible to the model
------------------------------------------------------------------------- */

#ifndef LMP_COMPUTE_GLASSVAE_LATENT_H
#define LMP_COMPUTE_GLASSVAE_LATENT_H

#include "compute.h"

#include "lammps/glassvae/energy_driver.h"
#include "lammps/host/model_host.h"

#include <vector>

namespace LAMMPS_NS {

class ComputeGlassVAELatent : public Compute {
public:
  ComputeGlassVAELatent(class LAMMPS *, int, char **);

  void init() override;
  void compute_vector() override;
  double memory_usage() override;

private:
  ModelHost host;
  EnergyDriver driver;
  std::vector<double> z;
};

}    // namespace LAMMPS_NS

#endif
