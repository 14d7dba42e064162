// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "amshortcut/flow_network_model.h"
#include "base/workspace.h"

#include <deque>

namespace vitrify {

/// The weights of a FlowNetworkModel as the kernels want them: for products with rows from the left, columns rounded up
/// to whole vectors.
template <typename T> struct FlowNetworkTables : Workspace {
  FlowNetworkTables(const FlowNetworkModel &model, int lanes);

  struct Layer {
    explicit Layer(Workspace &tables) :
        filters(tables), mix(tables), hidden(tables), hidden_bias(tables), out(tables), out_bias(tables)
    {
    }

    Array<T> filters;                // (splines + 3, width or 2 width): see MomentSums
    Array<T> mix;                    // (width or 3 width, 2 width)
    Array<T> hidden, hidden_bias;    // (5 or 6 width, 2 width), (2 width)
    Array<T> out, out_bias;          // (2 width, out_width), (out_width)
  };

  int width, out_width, gate_width, splines;
  double cutoff;
  Array<T> embedding{*this};    // (species, width)
  std::deque<Layer> layers;
  Array<T> gate{*this}, gate_bias{*this};    // (width, gate_width), (gate_width)
};

extern template struct FlowNetworkTables<float>;
extern template struct FlowNetworkTables<double>;

}    // namespace vitrify
