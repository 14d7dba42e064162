/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   pair_style glassvae
   pair_coeff * * MODEL El1 El2 ... [engine native|torch] [device cpu|cuda|cuda:n] [force yes|no] [check yes|no]

   Energy and forces of a latent model of a glass: a sum over atoms of functions of their neighborhood and of the latent
   vector z of the whole structure.

   compute pair: 1 number of steps so far whose structure was outside of the training data

   atoms of a type that is mapped to NULL, for hybrid and hybrid/overlay, are invisible to the model, and so are those
   of a group that neigh_modify exclude keeps from group all, as fix gcmc does with atoms that it takes out; what else
   hides pairs is refused

   while a minimizer runs, the model computes in double precision, because minimizers compare energies
------------------------------------------------------------------------- */

#ifndef LMP_PAIR_GLASSVAE_H
#define LMP_PAIR_GLASSVAE_H

#include "pair.h"

#include "lammps/glassvae/energy_driver.h"
#include "lammps/host/model_host.h"

#include <memory>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class PairGlassVAE : public Pair {
public:
  PairGlassVAE(class LAMMPS *);
  ~PairGlassVAE() override;

  void compute(int, int) override;
  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  double init_one(int, int) override;
  void *extract(const char *, int &) override;
  double memory_usage() override;

  // z of this step as the same model sees it in the same engine, if it is known; otherwise a null pointer

  const std::vector<double> *latent(const ModelHost &) const;

  // whether the last structure was outside of the training data

  bool was_outside() const { return driver && driver->watch.was_outside(); }

private:
  std::unique_ptr<ModelHost> host;    // since pair_coeff
  std::unique_ptr<EnergyDriver> driver;
  double extracted;           // a copy of the cutoff, which nobody can change, for extract()
  bigint latent_step;         // step that the engine's z belongs to; -1: no step
  bool checked_pairs;         // in this run, that all pairs are the model's
  std::vector<bool> given;    // (types, types): pairs that hybrid has left to this style

  std::vector<double> energies, forces, virials;    // of the model's nodes

  void allocate();
  void forget_model();
  [[noreturn]] void fail_without_model();
  void check_pairs();
  std::string sub_style();
  void check_bonds();
  void store();
};

}    // namespace LAMMPS_NS

#endif
