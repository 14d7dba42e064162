// SPDX-License-Identifier: BSD-3-Clause
// The update of the atoms after a pass, local to kernels.cpp.
#pragma once

#include "ogn/ogn_kernels.h"
#include "simd/math.inl"
#include "simd/vectors.inl"

namespace vitrify {

namespace {

// OUTPUTS rows of `dense`, which share what they load.
template <int OUTPUTS, typename T>
VITRIFY_INLINE void dense_rows(const T *weights, const T *bias, const T (*x)[BATCH], T (*y)[BATCH], int inputs)
{
  using Row = Pack<T, BATCH>;
  Row sums[OUTPUTS];
  for (int o = 0; o < OUTPUTS; ++o) sums[o] = Row::all(bias ? bias[o] : T(0));
  for (int q = 0; q < inputs; ++q) {
    const Row row = load<Row>(x[q]);
    for (int o = 0; o < OUTPUTS; ++o) sums[o] += row * weights[o * inputs + q];
  }
  for (int o = 0; o < OUTPUTS; ++o) store(y[o], sums[o]);
}

// y (outputs, BATCH) = W x + b, x (inputs, BATCH), W (outputs, inputs); b may be null.
template <typename T>
inline void dense(const T *weights, const T *bias, const T (*x)[BATCH], T (*y)[BATCH], int outputs, int inputs)
{
  constexpr int TOGETHER = VITRIFY_VECTOR_BYTES > 16 ? 4 : 2;    // as many as registers can hold
  int o = 0;
  for (; o + TOGETHER <= outputs; o += TOGETHER)
    dense_rows<TOGETHER>(weights + o * inputs, bias ? bias + o : nullptr, x, y + o, inputs);
  for (; o < outputs; ++o) dense_rows<1>(weights + o * inputs, bias ? bias + o : nullptr, x, y + o, inputs);
}

template <typename T> using Rows = T (*)[BATCH];

template <typename T> struct Batch {
  alignas(64) T inputs[MAX_WIDTH][BATCH], hidden[MAX_WIDTH][BATCH], outputs[MAX_WIDTH][BATCH];
};

template <typename T> inline void copy_rows(T (*to)[BATCH], const T (*from)[BATCH], int count)
{
  for (int q = 0; q < count; ++q)
    for (int k = 0; k < BATCH; ++k) to[q][k] = from[q][k];
}

/// Keeps the compiler from vectorising a loop that transposes, because plain moves are faster.
#define VITRIFY_SCALAR_LOOP asm volatile("")

// The inputs of the networks of n atoms: scalars, densities, densities of the stage before, squares of moments.
template <typename T> inline void fill_inputs(const NodeUpdate<T> &u, T (*inputs)[BATCH], std::int64_t first, int n)
{
  const int f = u.scalars;
  copy_rows<T>(inputs, reinterpret_cast<const T(*)[BATCH]>(u.state + first * f), f);
  copy_rows<T>(inputs + 2 * f, reinterpret_cast<const T(*)[BATCH]>(u.before + first * f), f);
  for (int k = 0; k < n; ++k) {
    if (u.whole_sums) {
      const int forces = whole_forces_width(u.channels), width = forces + u.density_width;
      const std::int32_t *whole = u.whole_sums + (first + k) * width + forces + u.channels;
      const T *units = u.density_units + u.channels;
      for (int q = 0; q < f; ++q) {
        VITRIFY_SCALAR_LOOP;
        inputs[f + q][k] = static_cast<T>(whole[q]) * units[q];
      }
      continue;    // there are no moments
    }
    const T *densities = u.densities + (first + k) * u.density_width + u.channels;
    for (int q = 0; q < f; ++q) {
      VITRIFY_SCALAR_LOOP;
      inputs[f + q][k] = densities[q];
    }
    if (!u.moments) continue;
    const T *m = u.moment_sums + 12 * (first + k);
    inputs[3 * f][k] = m[0] * m[0] + m[1] * m[1] + m[2] * m[2];
    const T diagonal = m[4] * m[4] + m[5] * m[5] + m[6] * m[6];
    inputs[3 * f + 1][k] = diagonal + T(2) * (m[8] * m[8] + m[9] * m[9] + m[10] * m[10]);
  }
}

// The networks of atoms first ... first + n - 1: new scalars and gates.
template <typename T> void update_scalars(const NodeUpdate<T> &u, Batch<T> &batch, std::int64_t first, int n)
{
  const int f = u.scalars;
  fill_inputs(u, batch.inputs, first, n);
  dense(u.input, u.input_bias, batch.inputs, batch.hidden, u.hidden, u.inputs);
  for (int h = 0; h < u.hidden; ++h)
    for (int k = 0; k < BATCH; ++k)
      batch.hidden[h][k] = batch.hidden[h][k] / (T(1) + exponential<T>(-batch.hidden[h][k]));
  dense(u.output, u.output_bias, batch.hidden, batch.outputs, f, u.hidden);
  for (int q = 0; q < f; ++q)
    for (int k = 0; k < BATCH; ++k) batch.outputs[q][k] += batch.inputs[q][k];
  copy_rows<T>(reinterpret_cast<Rows<T>>(u.state + first * f), batch.outputs, f);
  copy_rows<T>(reinterpret_cast<Rows<T>>(u.before + first * f), batch.inputs + f, f);
  dense(u.gates, static_cast<const T *>(nullptr), batch.outputs, batch.hidden, u.channels, f);
  for (int k = 0; k < n; ++k)
    for (int c = 0; c < u.channels; ++c) {
      VITRIFY_SCALAR_LOOP;
      u.features[(first + k) * u.feature_width + c] = batch.hidden[c][k];
    }
}

// Adds the moments of this stage to the inputs of all later stages, and writes those of the next one.
template <typename T> inline void update_moments(const NodeUpdate<T> &u, std::int64_t i)
{
  const T *sums = u.moment_sums + 12 * i;
  T *remembered = u.remembered + 12 * (u.stages - 1) * i;
  for (int stage = u.stage; stage < u.stages - 1; ++stage)
    for (int q = 0; q < 12; ++q) remembered[12 * stage + q] += u.recall[stage] * sums[q];
  const T *m = remembered + 12 * u.stage;
  T *to = u.features + i * u.feature_width + u.moment_offset;
  const T row[MOMENT_ROW] = {m[0], m[1], m[2],  T(0), m[4], m[8],  m[9], T(0),
                             m[8], m[5], m[10], T(0), m[9], m[10], m[6], T(0)};
  for (int q = 0; q < MOMENT_ROW; ++q) to[q] = row[q];
}

VITRIFY_INLINE Double4 converted_forces(const std::int32_t *from)
{
  Double4 to;
  for (int k = 0; k < 4; ++k) to.part[k / to.WIDTH][k % to.WIDTH] = from[k];
  return to;
}

// Adds the forces of this stage to the displacements of the later stages and to the changes over the stride.
template <typename T, int CHANNELS>
void update_slots(const NodeUpdate<T> &u, std::int64_t first_atom, std::int64_t last_atom)
{
  const int channels = CHANNELS ? CHANNELS : u.channels;
  const int n_slots = u.stages + 1, width = whole_forces_width(channels) + u.density_width;
  for (std::int64_t i = first_atom; i < last_atom; ++i) {
    const int species = static_cast<int>(u.nodes[i].place[3]);
    const double *weights = u.slot_weights + species * n_slots * channels;
    Double4 forces[CHANNELS ? CHANNELS : MAX_CHANNELS];
    for (int c = 0; c < channels; ++c)
      forces[c] = (u.whole_sums ? converted_forces(u.whole_sums + i * width + 4 * c)
                                  : load<Double4>(u.forces + 4 * (i * channels + c))) *
                  u.force_unit;
    double *slots = u.slots + 4 * n_slots * i;
    for (int slot = u.stage; slot < n_slots; ++slot) {
      Double4 sum = load<Double4>(slots + 4 * slot);
      for (int c = 0; c < channels; ++c) sum += forces[c] * weights[slot * channels + c];
      store(slots + 4 * slot, sum);
    }
  }
}

template <typename T> void update(const NodeUpdate<T> &u, std::int64_t first_atom, std::int64_t last_atom)
{
  if (u.channels == 1)
    update_slots<T, 1>(u, first_atom, last_atom);
  else if (u.channels == 2)
    update_slots<T, 2>(u, first_atom, last_atom);
  else
    update_slots<T, 0>(u, first_atom, last_atom);
  if (u.stage + 1 == u.stages) return;    // no stage follows

  for (std::int64_t i = first_atom; i < last_atom; ++i) {
    const double *next = u.slots + 4 * ((u.stages + 1) * i + u.stage);
    for (int k = 0; k < 3; ++k) u.displacements[3 * i + k] = next[k];
    if (u.moments) update_moments(u, i);
  }
  Batch<T> batch;
  for (int q = 0; q < u.inputs; ++q)
    for (int k = 0; k < BATCH; ++k) batch.inputs[q][k] = T(0);
  for (std::int64_t first = first_atom; first < last_atom; first += BATCH)
    update_scalars(u, batch, first, static_cast<int>(last_atom - first < BATCH ? last_atom - first : BATCH));
}

}    // namespace

}    // namespace vitrify
