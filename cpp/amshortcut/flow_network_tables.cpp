// SPDX-License-Identifier: BSD-3-Clause
#include "amshortcut/flow_network_tables.h"

#include "modelfile/tables.h"

#include <vector>

namespace vitrify {

namespace {

// Splines (splines, filters) over 6, and three rows of zeros after them.
template <typename T> std::vector<T> splines_of(const std::vector<double> &values, int splines)
{
  std::vector<T> to;
  for (const double value : values) to.push_back(static_cast<T>(value / 6.0));
  to.resize(to.size() + 3 * to.size() / static_cast<std::size_t>(splines));
  return to;
}

}    // namespace

template <typename T>
FlowNetworkTables<T>::FlowNetworkTables(const FlowNetworkModel &model, int lanes) :
    width(model.width), out_width(rounded_up(3 * width, lanes)), gate_width(rounded_up(width, lanes)),
    splines(model.splines), cutoff(model.cutoff)
{
  const auto whole = [](int n) { return Side{1, n, n}; };
  embedding = converted<T>(model.embedding);
  gate = transposed<T>(model.gate, {1, width, gate_width}, whole(width));
  gate_bias = padded_rows<T>(model.gate_bias, width, gate_width);
  for (const FlowNetworkModel::Layer &from : model.layers) {
    const int scalars = layers.empty() ? 5 : 6;
    Layer &to = layers.emplace_back(*this);
    to.filters = splines_of<T>(from.filters, splines);
    to.mix = converted<T>(from.mix);
    to.hidden = transposed<T>(from.hidden, whole(2 * width), whole(scalars * width));
    to.hidden_bias = converted<T>(from.hidden_bias);
    to.out = transposed<T>(from.out, {1, 3 * width, out_width}, whole(2 * width));
    to.out_bias = padded_rows<T>(from.out_bias, 3 * width, out_width);
  }
}

template struct FlowNetworkTables<float>;
template struct FlowNetworkTables<double>;

}    // namespace vitrify
