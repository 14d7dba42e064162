// SPDX-License-Identifier: BSD-3-Clause
#include "glassvae/glassvae_tables.h"

namespace vitrify {

namespace {

using Values = std::vector<double>;

// The columns of a matrix (rows, 4 width) over the scale of the invariants.
Values divided(Values values, const Values &scale)
{
  for (std::size_t k = 0; k < values.size(); ++k) values[k] /= scale[k % scale.size()];
  return values;
}

// Splines of each pair of species (pairs, splines, channels), with three rows of zeros after them, over 6.
template <typename T> std::vector<T> splines_of(const Values &values, int pairs, int splines, int channels, int width)
{
  std::vector<T> to(static_cast<std::size_t>(pairs) * static_cast<std::size_t>(splines + 3) *
                    static_cast<std::size_t>(width));
  std::size_t from = 0;
  for (int pair = 0; pair < pairs; ++pair)
    for (int k = 0; k < splines; ++k)
      for (int c = 0; c < channels; ++c)
        to[(static_cast<std::size_t>(pair) * (splines + 3) + k) * width + c] = static_cast<T>(values[from++] / 6.0);
  return to;
}

// With inputs as the kernels have them: padded, and not yet scaled.
Dense with_padded_inputs(const Dense &from, const Values &scale, Side inputs)
{
  const int outputs = static_cast<int>(from.outputs);
  return {static_cast<std::size_t>(inputs.size()), from.outputs,
          padded<double>(divided(from.weight, scale), {1, outputs, outputs}, inputs), from.bias};
}

}    // namespace

template <typename T>
GlassVAETables<T>::GlassVAETables(const GlassVAEModel &m, int lanes) :
    n_species(m.n_species), splines(m.splines), start(m.start), cutoff(m.cutoff), graph_path(m.graph_path)
{
  width = rounded_up(m.width, lanes);
  hidden = rounded_up(m.hidden, lanes);
  least = converted<T>(m.least);
  const Side one{1, 1, 1}, channels{1, m.width, width}, both{2, m.width, width}, x{4, m.width, width};
  const Side neurons{1, m.hidden, hidden};
  radial = splines_of<T>(m.radial, m.n_species * m.n_species, splines, m.width, width);
  pair_radial = splines_of<double>(m.pair_radial, m.n_species * m.n_species, splines, m.summary, m.summary);
  for (int k = 0; k < 2; ++k) {
    const auto size = static_cast<std::ptrdiff_t>(m.mix.size() / 2);
    const Values own(m.mix.begin() + k * size, m.mix.begin() + (k + 1) * size);
    mix[k] = padded<T>(own, channels, both);
    back[k] = transposed<T>(own, channels, both);
  }
  shift = padded<T>(m.shift, one, x);
  graph.read(m.graph_path, m.scale, x, neurons);
  energy.read(m.energy, m.scale, x, neurons);
  energy_linear = padded<T>(divided(m.energy.linear.weight, m.scale), one, x);
  energy_out = padded<T>(m.energy.out.weight, one, neurons);
  graph_path.linear = with_padded_inputs(m.graph_path.linear, m.scale, x);
}

template <typename T>
void GlassVAETables<T>::Hidden::read(const Perceptron &from, const std::vector<double> &scale, Side inputs, Side hidden)
{
  const Side one{1, 1, 1};
  const Values scaled = divided(from.first.weight, scale);
  first = transposed<T>(scaled, hidden, inputs);
  first_bias = padded<T>(from.first.bias, one, hidden);
  second = transposed<T>(from.second.weight, hidden, hidden);
  second_bias = padded<T>(from.second.bias, one, hidden);
  first_back = padded<T>(scaled, hidden, inputs);
  second_back = padded<T>(from.second.weight, hidden, hidden);
}

template <typename T> HiddenLayers<T> GlassVAETables<T>::Hidden::layers() const
{ return {first.data(), first_bias.data(), second.data(), second_bias.data(), first_back.data(), second_back.data()}; }

template <typename T> GlassVAENetwork<T> GlassVAETables<T>::network() const
{
  GlassVAENetwork<T> n{};
  n.n_species = n_species;
  n.splines = splines;
  n.width = width;
  n.hidden = hidden;
  n.cutoff_square = cutoff * cutoff;
  n.start = static_cast<T>(start);
  n.inverse_spacing = static_cast<T>(splines / (cutoff - start));
  n.radial = radial.data();
  n.least = least.data();
  n.mix_first = mix[0].data();
  n.mix_second = mix[1].data();
  n.back_first = back[0].data();
  n.back_second = back[1].data();
  n.shift = shift.data();
  n.graph = graph.layers();
  n.energy = energy.layers();
  n.energy_linear = energy_linear.data();
  n.energy_out = energy_out.data();
  return n;
}

template struct GlassVAETables<float>;
template struct GlassVAETables<double>;

}    // namespace vitrify
