// SPDX-License-Identifier: BSD-3-Clause
// One stage of the pair variant of OGN and its gradients, local to kernels.cpp.
#pragma once

#include "ogn/stage_gradient.h"
#include "simd/math.inl"

namespace vitrify {

namespace {

// The same as std::max and std::min, which are inline functions of a shared header.
template <typename T> inline T larger(T a, T b)
{ return a < b ? b : a; }
template <typename T> inline T smaller(T a, T b)
{ return b < a ? b : a; }

// The geometry of one pair at one stage, and its filters.
struct StagePair {
  float e[3], r;    // direction and distance
  float values[MAX_FILTERS], slopes[MAX_FILTERS];
  float taps[4];       // weights of the four splines times the envelope
  std::int64_t row;    // of the first of them
};

inline float dot(const float *a, const float *b)
{ return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

// T b for T = (xx, yy, zz, xy, xz, yz)
inline void apply(const float *t, const float *b, float *out)
{
  out[0] = t[0] * b[0] + t[3] * b[1] + t[4] * b[2];
  out[1] = t[3] * b[0] + t[1] * b[1] + t[5] * b[2];
  out[2] = t[4] * b[0] + t[5] * b[1] + t[2] * b[2];
}

inline void products(const float *e, float *p)
{
  for (int a = 0; a < 3; ++a) p[a] = e[a] * e[a];
  p[3] = e[0] * e[1];
  p[4] = e[0] * e[2];
  p[5] = e[1] * e[2];
}

// One of the two directions in which a pair stands; an atom and its own image have the same i and j.
inline bool is_first(const StageEdges &edges, std::int64_t n)
{
  const std::int64_t i = edges.i[n], j = edges.j[n];
  if (i != j) return i < j;
  const float *d = edges.vectors + 3 * n;
  return d[0] > 0.0f || (d[0] == 0.0f && (d[1] > 0.0f || (d[1] == 0.0f && d[2] > 0.0f)));
}

// False if the pair is beyond the cutoff or the splines, or the edge is the second of its pair.
inline bool measure_pair(const StageShape &shape, const StageEdges &edges, std::int64_t n, const float *xi,
                         const float *xj, const float *table, bool with_slopes, StagePair &pair)
{
  if (!is_first(edges, n)) return false;
  const float *start = edges.vectors + 3 * n;
  const float distance = root(dot(start, start));
  if (distance >= shape.cutoff) return false;
  float d[3];
  for (int a = 0; a < 3; ++a) d[a] = start[a] + (xj[a] - xi[a]);
  pair.r = root(larger(dot(d, d), 1e-12f));
  const float raw = (pair.r - shape.start) * shape.inverse_spacing;
  if (raw >= static_cast<float>(shape.size)) return false;
  for (int a = 0; a < 3; ++a) pair.e[a] = d[a] / pair.r;

  const float t = larger(raw, 0.0f);
  // NaN takes the first interval and stays NaN, so that training sees a loss that is not finite.
  const int first = t > 0.0f ? smaller(static_cast<int>(t), shape.size - 1) : 0;
  const float u = t - static_cast<float>(first), s = 1.0f - u;
  const float z = larger((distance - shape.onset) / (shape.cutoff - shape.onset), 0.0f);
  const float scale = (1.0f - z * z * z * (10.0f + z * (6.0f * z - 15.0f))) / 6.0f;
  pair.taps[0] = scale * s * s * s;
  pair.taps[1] = scale * (4.0f + u * u * (3.0f * u - 6.0f));
  pair.taps[2] = scale * (4.0f + s * s * (3.0f * s - 6.0f));
  pair.taps[3] = scale * u * u * u;

  const int filters = shape.filters;
  const std::int64_t low = smaller(edges.types[edges.i[n]], edges.types[edges.j[n]]);
  const std::int64_t high = larger(edges.types[edges.i[n]], edges.types[edges.j[n]]);
  pair.row = (high * (high + 1) / 2 + low) * (shape.size + 3) + first;
  const float *rows = table + pair.row * filters;
  for (int k = 0; k < filters; ++k)
    pair.values[k] = pair.taps[0] * rows[k] + pair.taps[1] * rows[filters + k] + pair.taps[2] * rows[2 * filters + k] +
                     pair.taps[3] * rows[3 * filters + k];
  if (!with_slopes) return true;
  const float by_r = raw < 0.0f ? 0.0f : scale * shape.inverse_spacing;
  const float slope[4] = {-3.0f * by_r * s * s, by_r * u * (9.0f * u - 12.0f), -by_r * s * (9.0f * s - 12.0f),
                          3.0f * by_r * u * u};
  for (int k = 0; k < filters; ++k)
    pair.slopes[k] = slope[0] * rows[k] + slope[1] * rows[filters + k] + slope[2] * rows[2 * filters + k] +
                     slope[3] * rows[3 * filters + k];
  return true;
}

inline void stage_sums(const StageShape &shape, const StageEdges &edges, const float *x, const float *table,
                       float *sums)
{
  const int c = shape.channels, f = shape.scalars, width = shape.width, outputs = shape.outputs;
  StagePair pair;
  for (std::int64_t n = 0; n < edges.n; ++n) {
    const float *xi = x + edges.i[n] * width, *xj = x + edges.j[n] * width;
    if (!measure_pair(shape, edges, n, xi, xj, table, false, pair)) continue;
    float *to_i = sums + edges.i[n] * outputs, *to_j = sums + edges.j[n] * outputs;
    const float *values = pair.values, *e = pair.e;

    float vector[3] = {}, bent[3] = {}, tensor[6], along_vector = 0.0f, along_bent = 0.0f;
    if (shape.moments) {
      for (int a = 0; a < 3; ++a) vector[a] = xi[3 + c + a] - xj[3 + c + a];
      for (int a = 0; a < 6; ++a) tensor[a] = xi[6 + c + a] + xj[6 + c + a];
      apply(tensor, e, bent);
      along_vector = dot(vector, e);
      along_bent = dot(bent, e);
    }
    const float *angular = values + c + f + 2;
    for (int k = 0; k < c; ++k) {
      float radial = values[k] * (1.0f + xi[3 + k] + xj[3 + k]);
      float force[3] = {};
      if (shape.moments) {
        radial += angular[2 * c + k] * along_vector + angular[3 * c + k] * along_bent;
        for (int a = 0; a < 3; ++a) force[a] = angular[k] * vector[a] + angular[c + k] * bent[a];
      }
      for (int a = 0; a < 3; ++a) {
        force[a] += radial * e[a];
        to_i[3 * k + a] += force[a];
        to_j[3 * k + a] -= force[a];
      }
    }
    for (int k = 0; k < f; ++k) {
      to_i[3 * c + k] += values[c + k];
      to_j[3 * c + k] += values[c + k];
    }
    if (shape.moments) {
      float p[6];
      products(e, p);
      for (int a = 0; a < 3; ++a) {
        to_i[3 * c + f + a] += values[c + f] * e[a];
        to_j[3 * c + f + a] -= values[c + f] * e[a];
      }
      for (int a = 0; a < 6; ++a) {
        to_i[3 * c + f + 3 + a] += values[c + f + 1] * p[a];
        to_j[3 * c + f + 3 + a] += values[c + f + 1] * p[a];
      }
    }
  }
}

inline void stage_gradients(const StageShape &shape, const StageEdges &edges, const float *x, const float *table,
                            const float *sums_gradient, float *x_gradient, float *table_gradient)
{
  const int c = shape.channels, f = shape.scalars, width = shape.width, outputs = shape.outputs;
  const int filters = shape.filters;
  StagePair pair;
  float by_value[MAX_FILTERS];
  for (std::int64_t n = 0; n < edges.n; ++n) {
    const std::int64_t i = edges.i[n], j = edges.j[n];
    const float *xi = x + i * width, *xj = x + j * width;
    if (!measure_pair(shape, edges, n, xi, xj, table, true, pair)) continue;
    const float *from_i = sums_gradient + i * outputs, *from_j = sums_gradient + j * outputs;
    float *to_i = x_gradient + i * width, *to_j = x_gradient + j * width;
    const float *values = pair.values, *e = pair.e;
    float by_e[3] = {};

    float vector[3] = {}, tensor[6] = {}, bent[3] = {}, by_vector[3] = {}, by_bent[3] = {};
    float along_vector = 0.0f, along_bent = 0.0f;
    if (shape.moments) {
      for (int a = 0; a < 3; ++a) vector[a] = xi[3 + c + a] - xj[3 + c + a];
      for (int a = 0; a < 6; ++a) tensor[a] = xi[6 + c + a] + xj[6 + c + a];
      apply(tensor, e, bent);
      along_vector = dot(vector, e);
      along_bent = dot(bent, e);
    }
    const float *angular = values + c + f + 2;
    for (int k = 0; k < c; ++k) {
      float by_force[3];
      for (int a = 0; a < 3; ++a) by_force[a] = from_i[3 * k + a] - from_j[3 * k + a];
      const float q = dot(by_force, e), gate = 1.0f + xi[3 + k] + xj[3 + k];
      by_value[k] = gate * q;
      to_i[3 + k] += values[k] * q;
      to_j[3 + k] += values[k] * q;
      float radial = values[k] * gate;
      if (shape.moments) {
        float *by_angular = by_value + c + f + 2;
        const float f1 = angular[k], f2 = angular[c + k], f3 = angular[2 * c + k], f4 = angular[3 * c + k];
        by_angular[k] = dot(by_force, vector);
        by_angular[c + k] = dot(by_force, bent);
        by_angular[2 * c + k] = along_vector * q;
        by_angular[3 * c + k] = along_bent * q;
        radial += f3 * along_vector + f4 * along_bent;
        for (int a = 0; a < 3; ++a) {
          by_vector[a] += f1 * by_force[a] + f3 * q * e[a];
          by_bent[a] += f2 * by_force[a] + f4 * q * e[a];
          by_e[a] += q * (f3 * vector[a] + f4 * bent[a]);
        }
      }
      for (int a = 0; a < 3; ++a) by_e[a] += radial * by_force[a];
    }
    for (int k = 0; k < f; ++k) by_value[c + k] = from_i[3 * c + k] + from_j[3 * c + k];
    if (shape.moments) {
      float back[3], by_a[3], by_t[6], p[6];
      apply(tensor, by_bent, back);
      for (int a = 0; a < 3; ++a) by_a[a] = from_i[3 * c + f + a] - from_j[3 * c + f + a];
      for (int a = 0; a < 6; ++a) by_t[a] = from_i[3 * c + f + 3 + a] + from_j[3 * c + f + 3 + a];
      products(e, p);
      by_value[c + f] = dot(by_a, e);
      by_value[c + f + 1] = dot(by_t, p) + dot(by_t + 3, p + 3);
      const float ka = values[c + f], kt = values[c + f + 1];
      // The off-diagonal elements stand for two, and products gives them once.
      const float full[6] = {2.0f * by_t[0], 2.0f * by_t[1], 2.0f * by_t[2], by_t[3], by_t[4], by_t[5]};
      float turned[3];
      apply(full, e, turned);
      for (int a = 0; a < 3; ++a) by_e[a] += back[a] + ka * by_a[a] + kt * turned[a];
      const float by_tensor[6] = {by_bent[0] * e[0],
                                  by_bent[1] * e[1],
                                  by_bent[2] * e[2],
                                  by_bent[0] * e[1] + by_bent[1] * e[0],
                                  by_bent[0] * e[2] + by_bent[2] * e[0],
                                  by_bent[1] * e[2] + by_bent[2] * e[1]};
      for (int a = 0; a < 3; ++a) {
        to_i[3 + c + a] += by_vector[a];
        to_j[3 + c + a] -= by_vector[a];
      }
      for (int a = 0; a < 6; ++a) {
        to_i[6 + c + a] += by_tensor[a];
        to_j[6 + c + a] += by_tensor[a];
      }
    }

    float by_r = 0.0f;
    float *rows = table_gradient + pair.row * filters;
    for (int k = 0; k < filters; ++k) {
      by_r += by_value[k] * pair.slopes[k];
      for (int tap = 0; tap < 4; ++tap) rows[tap * filters + k] += pair.taps[tap] * by_value[k];
    }
    const float radial = dot(by_e, e);
    for (int a = 0; a < 3; ++a) {
      const float by_d = by_r * e[a] + (by_e[a] - radial * e[a]) / pair.r;
      to_i[a] -= by_d;
      to_j[a] += by_d;
    }
  }
}

}    // namespace

}    // namespace vitrify
