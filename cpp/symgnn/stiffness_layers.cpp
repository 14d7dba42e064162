// SPDX-License-Identifier: BSD-3-Clause
#include "symgnn/stiffness_layers.h"

namespace vitrify {

template <typename T> void StiffnessLayers<T>::begin(std::size_t nodes, std::size_t owned)
{
  for (Array<T> &one : compliance_) one.fill(6 * nodes, T(0));
  stiffness_.reserve(6 * owned);
  descriptors_.reserve(N_STIFFNESS * owned);
}

// Sums are made in double, but stiffness and compliance are rounded to T wherever they are kept, as the model rounds
// them in Python.
template <typename T> void StiffnessLayers<T>::run(int order, const NeighbourQuery &query, BondArguments<T> bonds)
{
  const int node = query.ids[query.place];
  const double reach = order == 0 ? tables_.cutoff : tables_.inner;
  bonds.cutoff_square = reach * reach;
  bonds.start = tables_.core;
  bonds.inverse_step = (KNOTS - 1) / (tables_.cutoff - tables_.core);
  bonds.table = tables_.pair_table.data();
  T *first_order = stiffness_.data() + place(node, 6), *found = descriptors_.data() + place(node, N_STIFFNESS);
  double stiffness[6];
  if (order == 0) {
    double sums[19], descriptors[BOND_DESCRIPTORS];
    kernels_.sum_bonds(bonds, query, sums);
    describe_bonds(sums, descriptors, stiffness);
    for (int q = 0; q < 6; ++q) stiffness[q] = first_order[q] = static_cast<T>(stiffness[q]);
    for (int q = 0; q < BOND_DESCRIPTORS; ++q) found[q] = static_cast<T>(descriptors[q]);
  } else {
    double sums[6];
    bonds.compliance = compliance_[(order + 1) % 2].data();
    kernels_.sum_compliance(bonds, query, sums);
    for (int q = 0; q < 6; ++q) stiffness[q] = static_cast<T>(static_cast<double>(first_order[q]) - sums[q]);
    double descriptors[ORDER_DESCRIPTORS];
    describe_stiffness(stiffness, descriptors);
    for (int q = 0; q < ORDER_DESCRIPTORS; ++q)
      found[BOND_DESCRIPTORS + (order - 1) * ORDER_DESCRIPTORS + q] = static_cast<T>(descriptors[q]);
  }
  if (order == HOPS) return;
  double of_node[6];
  compliance_of(stiffness, of_node);
  for (int q = 0; q < 6; ++q) compliance(order, node)[q] = static_cast<T>(of_node[q]);
}

template class StiffnessLayers<float>;
template class StiffnessLayers<double>;

}    // namespace vitrify
