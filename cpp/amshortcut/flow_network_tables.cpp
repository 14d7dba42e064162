// SPDX-License-Identifier: BSD-3-Clause
#include "amshortcut/flow_network_tables.h"

namespace vitrify {

namespace {

template <typename T> std::vector<T> converted(const std::vector<double> &values)
{ return std::vector<T>(values.begin(), values.end()); }

// (rows, columns) -> (columns, width), with zeros beyond the rows
template <typename T> std::vector<T> turned(const std::vector<double> &values, int rows, int columns, int width)
{
  std::vector<T> to(static_cast<std::size_t>(columns) * width);
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c)
      to[static_cast<std::size_t>(c) * width + r] = static_cast<T>(values[static_cast<std::size_t>(r) * columns + c]);
  return to;
}

template <typename T> std::vector<T> padded(const std::vector<double> &values, int width)
{
  std::vector<T> to = converted<T>(values);
  to.resize(static_cast<std::size_t>(width));
  return to;
}

int rounded_up(int n, int lanes)
{ return (n + lanes - 1) / lanes * lanes; }

}    // namespace

template <typename T>
FlowNetworkTables<T>::FlowNetworkTables(const FlowNetworkModel &model, int lanes) :
    width(model.width), out_width(rounded_up(3 * width, lanes)), gate_width(rounded_up(width, lanes)),
    splines(model.splines), cutoff(model.cutoff), embedding(converted<T>(model.embedding)),
    gate(turned<T>(model.gate, width, width, gate_width)), gate_bias(padded<T>(model.gate_bias, gate_width))
{
  for (const FlowNetworkModel::Layer &from : model.layers) {
    Layer to;
    for (const double value : from.filters) to.filters.push_back(static_cast<T>(value / 6.0));
    to.filters.resize(to.filters.size() + 3 * to.filters.size() / static_cast<std::size_t>(splines));
    to.mix = converted<T>(from.mix);
    const int scalars = layers.empty() ? 5 : 6;
    to.hidden = turned<T>(from.hidden, 2 * width, scalars * width, 2 * width);
    to.hidden_bias = converted<T>(from.hidden_bias);
    to.out = turned<T>(from.out, 3 * width, 2 * width, out_width);
    to.out_bias = padded<T>(from.out_bias, out_width);
    layers.push_back(std::move(to));
  }
}

template <typename T> std::size_t FlowNetworkTables<T>::bytes() const
{
  std::size_t count = embedding.size() + gate.size() + gate_bias.size();
  for (const Layer &layer : layers)
    count += layer.filters.size() + layer.mix.size() + layer.hidden.size() + layer.hidden_bias.size() +
             layer.out.size() + layer.out_bias.size();
  return count * sizeof(T);
}

template struct FlowNetworkTables<float>;
template struct FlowNetworkTables<double>;

}    // namespace vitrify
