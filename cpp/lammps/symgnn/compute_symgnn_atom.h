/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   compute ID group symgnn/atom MODEL El1 El2 ... [engine native|torch] [device cpu|cuda|cuda:n] [force yes|no]
                                                  [check yes|no]

   A property of each atom of a structure at rest, such as its energy barrier, from a graph network.

   per-atom array: 1 the property, 2 its standard deviation, 3 a flag: 1.0 if the deviation is larger than for 99% of
   the training data; zero for atoms outside the group
   scalar: number of evaluations so far whose structure was outside of the training data
   atoms of a type that is mapped to NULL are invisible to the model, and get zeros, and so are those of a group that
   neigh_modify exclude keeps from group all; what else hides pairs is refused
------------------------------------------------------------------------- */

#ifndef LMP_COMPUTE_SYMGNN_ATOM_H
#define LMP_COMPUTE_SYMGNN_ATOM_H

#include "compute.h"

#include "lammps/host/end_of_run.h"
#include "lammps/host/model_host.h"
#include "lammps/host/model_nodes.h"
#include "lammps/host/model_watch.h"
#include "neighbours/half_list.h"

#include <memory>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class ComputeSymGNNAtom : public Compute {
public:
  ComputeSymGNNAtom(class LAMMPS *, int, char **);
  ~ComputeSymGNNAtom() override;

  void init() override;
  void compute_peratom() override;
  double compute_scalar() override;
  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  double memory_usage() override;

private:
  ModelHost host;
  const vitrify::Metadata &model;    // the host's
  int nmax;                          // rows of array_atom
  bool warned_motion;
  std::unique_ptr<ModelWatch> watch;
  std::unique_ptr<EndOfRun> summary;

  ModelNodes atoms;
  std::vector<double> values, deviations;    // of the owned nodes: property and its standard deviation
  vitrify::HalfList half_list;               // for an engine that wants a neighbor list

  std::vector<int> sent;       // nodes of one message of forward_comm
  std::vector<double> rows;    // their features
  std::string trouble;         // what went wrong with this prediction on this rank

  void predict();
  void stop_if_failed();
  void store();
  tagint first_bad_atom(double **, int) const;
  tagint first_bad_prediction() const;
  void check_numbers(tagint, const std::string &) const;
  std::vector<double> smallest_of_all_ranks(tagint) const;
  std::vector<double> sum_over_ranks() const;
  void compare_with_training();

  void warn_of_motion();
  double largest_force() const;
  double temperature() const;
};

}    // namespace LAMMPS_NS

#endif
