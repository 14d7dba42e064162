// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/workspace.h"
#include "symgnn/stiffness.h"
#include "symgnn/symgnn_kernels.h"
#include "symgnn/symgnn_tables.h"

namespace vitrify {

/// The first layers of a model with stiffness descriptors. Each makes one order of them from the compliance of the
/// order before. Threads may share one object: each of them writes only to the nodes that it works on.
template <typename T> class StiffnessLayers : public Workspace {
public:
  StiffnessLayers(const SymGNNTables<T> &tables, const SymGNNKernels<T> &kernels) : tables_(tables), kernels_(kernels)
  {
  }

  void begin(std::size_t nodes, std::size_t owned);
  /// Makes order `order` of one owned atom. `bonds` has the arrays that the kernels work in, and no more.
  void run(int order, const NeighbourQuery &query, BondArguments<T> bonds);
  /// Descriptors of an owned atom, once all orders are there: (N_STIFFNESS).
  const T *descriptors(int node) const { return descriptors_.data() + place(node, N_STIFFNESS); }
  /// The compliance of a node (6) after `order`.
  T *compliance(int order, int node) { return compliance_[order % 2].data() + place(node, 6); }
  const T *compliance(int order, int node) const { return compliance_[order % 2].data() + place(node, 6); }

private:
  static std::size_t place(int node, int columns)
  { return static_cast<std::size_t>(node) * static_cast<std::size_t>(columns); }

  const SymGNNTables<T> &tables_;
  const SymGNNKernels<T> &kernels_;
  Array<T> compliance_[2]{*this, *this};    // (nodes, 6) of even and odd orders: neighbours still read the one before
  Array<T> stiffness_{*this};               // (owned, 6) of order 0
  Array<T> descriptors_{*this};             // (owned, N_STIFFNESS)
};

extern template class StiffnessLayers<float>;
extern template class StiffnessLayers<double>;

}    // namespace vitrify
