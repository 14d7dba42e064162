// SPDX-License-Identifier: BSD-3-Clause
#include "symgnn/stiffness_layers.h"

#include <algorithm>

namespace vitrify {

template <typename T> void StiffnessLayers<T>::begin(std::size_t nodes, std::size_t owned)
{
  for (Buffer<T> &one : softness_) {
    one.reserve(6 * nodes);
    std::fill_n(one.data(), 6 * nodes, T(0));
  }
  whole_.reserve(6 * owned);
  descriptors_.reserve(N_STIFFNESS * owned);
}

template <typename T> void StiffnessLayers<T>::stiffen(int order, const NeighbourQuery &s, BondArguments<T> room)
{
  const int node = s.ids[s.place];
  const double reach = order == 0 ? tables_.cutoff : tables_.inner;
  room.cutoff_square = reach * reach;
  room.start = tables_.core;
  room.inverse_step = (KNOTS - 1) / (tables_.cutoff - tables_.core);
  room.table = tables_.pair_table.data();
  T *whole = whole_.data() + place(node, 6), *found = descriptors_.data() + place(node, N_STIFFNESS);
  double stiffness[6];
  if (order == 0) {
    double sums[19], descriptors[BOND_DESCRIPTORS];
    kernels_.sum_bonds(room, s, sums);
    describe_bonds(sums, descriptors, stiffness);
    // what is kept is kept in the precision of the model, here and there
    for (int q = 0; q < 6; ++q) stiffness[q] = whole[q] = static_cast<T>(stiffness[q]);
    for (int q = 0; q < BOND_DESCRIPTORS; ++q) found[q] = static_cast<T>(descriptors[q]);
  } else {
    double sums[6];
    room.softness = softness_[(order + 1) % 2].data();
    kernels_.sum_compliance(room, s, sums);
    for (int q = 0; q < 6; ++q) stiffness[q] = static_cast<T>(static_cast<double>(whole[q]) - sums[q]);
    double descriptors[ORDER_DESCRIPTORS];
    describe_stiffness(stiffness, descriptors);
    for (int q = 0; q < ORDER_DESCRIPTORS; ++q)
      found[BOND_DESCRIPTORS + (order - 1) * ORDER_DESCRIPTORS + q] = static_cast<T>(descriptors[q]);
  }
  if (order == HOPS) return;
  double soft[6];
  softness_of(stiffness, soft);
  for (int q = 0; q < 6; ++q) softness(order, node)[q] = static_cast<T>(soft[q]);
}

template <typename T> std::size_t StiffnessLayers<T>::bytes() const
{ return softness_[0].bytes() + softness_[1].bytes() + whole_.bytes() + descriptors_.bytes(); }

template class StiffnessLayers<float>;
template class StiffnessLayers<double>;

}    // namespace vitrify
