/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   compute ID all glassvae/latent MODEL El1 El2 ... [engine native|torch] [device cpu|cuda|cuda:n] [force yes|no]
                                                    [check yes|no]

   vector: z, the latent vector of the structure; intensive
   scalar: number of evaluations so far whose structure was outside of the training data
   atoms of a type that is mapped to NULL are invisible to the model, and so are those of a group that neigh_modify
   exclude keeps from group all; what else hides pairs is refused
------------------------------------------------------------------------- */

#ifndef LMP_COMPUTE_GLASSVAE_LATENT_H
#define LMP_COMPUTE_GLASSVAE_LATENT_H

#include "compute.h"

#include "lammps/glassvae/energy_driver.h"
#include "lammps/host/model_host.h"

#include <memory>
#include <vector>

namespace LAMMPS_NS {

class ComputeGlassVAELatent : public Compute {
public:
  ComputeGlassVAELatent(class LAMMPS *, int, char **);

  void init() override;
  void compute_vector() override;
  double compute_scalar() override;
  double memory_usage() override;

private:
  ModelHost host;
  std::unique_ptr<EnergyDriver> driver;    // since the model is known
  bigint noutside_with_pair;               // evaluations that a pair style has made
  std::vector<double> z;
};

}    // namespace LAMMPS_NS

#endif
