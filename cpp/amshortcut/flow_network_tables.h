// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "amshortcut/flow_network_model.h"

#include <cstddef>
#include <vector>

namespace vitrify {

/// The weights of a FlowNetworkModel as the kernels want them: for products with rows from the left, columns rounded up
/// to whole vectors.
template <typename T> struct FlowNetworkTables {
  FlowNetworkTables(const FlowNetworkModel &model, int lanes);

  struct Layer {
    std::vector<T> filters;                // (splines + 3, width or 2 width): see MomentSums
    std::vector<T> mix;                    // (width or 3 width, 2 width)
    std::vector<T> hidden, hidden_bias;    // (5 or 6 width, 2 width), (2 width)
    std::vector<T> out, out_bias;          // (2 width, out_width), (out_width)
  };

  int width, out_width, gate_width, splines;
  double cutoff;
  std::vector<T> embedding;    // (species, width)
  std::vector<Layer> layers;
  std::vector<T> gate, gate_bias;    // (width, gate_width), (gate_width)

  std::size_t bytes() const;
};

extern template struct FlowNetworkTables<float>;
extern template struct FlowNetworkTables<double>;

}    // namespace vitrify
