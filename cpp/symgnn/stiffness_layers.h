// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/buffer.h"
#include "symgnn/stiffness.h"
#include "symgnn/symgnn_kernels.h"
#include "symgnn/symgnn_tables.h"

namespace vitrify {

/// The first layers of a model with stiffness: one order each, from the softness of order before. What belongs to a
/// node is written by whoever works on it, so that threads may share one object.
template <typename T> class StiffnessLayers {
public:
  StiffnessLayers(const SymGNNTables<T> &tables, const SymGNNKernels<T> &kernels) : tables_(tables), kernels_(kernels)
  {
  }

  void begin(std::size_t nodes, std::size_t owned);
  /// Order `order` of one owned atom, with room for bonds as BondArguments says.
  void stiffen(int order, const NeighbourQuery &s, BondArguments<T> room);
  /// Descriptors of an owned atom, once all orders are there: (N_STIFFNESS).
  const T *descriptors(int node) const { return descriptors_.data() + place(node, N_STIFFNESS); }
  /// The softness of a node that goes with `order`: (6).
  T *softness(int order, int node) { return softness_[order % 2].data() + place(node, 6); }
  const T *softness(int order, int node) const { return softness_[order % 2].data() + place(node, 6); }
  std::size_t bytes() const;

private:
  static std::size_t place(int node, int columns)
  { return static_cast<std::size_t>(node) * static_cast<std::size_t>(columns); }

  const SymGNNTables<T> &tables_;
  const SymGNNKernels<T> &kernels_;
  Buffer<T> softness_[2];    // (nodes, 6), of even and odd orders: neighbours still read the one before
  Buffer<T> whole_;          // (owned, 6): stiffness of order 0
  Buffer<T> descriptors_;    // (owned, N_STIFFNESS)
};

extern template class StiffnessLayers<float>;
extern template class StiffnessLayers<double>;

}    // namespace vitrify
