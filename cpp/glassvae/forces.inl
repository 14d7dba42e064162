// SPDX-License-Identifier: BSD-3-Clause
// Forces of latent models, local to kernels.cpp.
#pragma once

#include "glassvae/invariants.inl"

namespace vitrify {

namespace {

// The gradient by A of one atom, in rows as A itself.
template <typename T>
void moments_backward(const GlassVAENetwork<T> &net, int species, const GlassVAEScratch<T> &scratch,
                      const GlassVAEGradient<T> &by, const T *constant)
{
  constexpr int size = HarmonicRow<T>::SIZE;
  const int w = net.width, inputs = net.n_species * (net.splines + 3);
  for (int c = 0; c < w; ++c) {
    T *row = scratch.transposed + c * size;
    row[0] = by.zeroth[c];
    for (int k = 0; k < 3; ++k) row[1 + k] = by.first[k * w + c];
    for (int k = 0; k < 5; ++k) row[4 + k] = by.second[k * w + c];
    for (int k = HARMONICS; k < size; ++k) row[k] = T(0);
  }
  for (int k = 0; k < inputs * size; ++k) scratch.sums[k] = T(0);
  for (int k = 0; k < inputs; ++k) scratch.sums[k * size] = constant[k];
  product<T, false, 0>(inputs, w, size, net.radial + static_cast<std::ptrdiff_t>(species) * inputs * w, w,
                       scratch.transposed, nullptr, scratch.sums);
}

// Slopes of the splines by the distance; zero where they are constant.
template <typename T> void slope_edges(const GlassVAENetwork<T> &net, const MeasuredEdges<T> &edges, T (*slopes)[BLOCK])
{
  const T steep = T(3) * net.inverse_spacing, size = static_cast<T>(net.splines);
  for (int e = 0; e < edges.n; ++e) {
    const T t = (edges.distances[e] - net.start) * net.inverse_spacing;
    const T u = (t > size ? size : t) - static_cast<T>(edges.rows[e]), s = T(1) - u;
    const T factor = edges.distances[e] > net.start ? steep : T(0);
    slopes[0][e] = -s * s * factor;
    slopes[1][e] = u * (T(3) * u - T(4)) * factor;
    slopes[2][e] = -s * (T(3) * s - T(4)) * factor;
    slopes[3][e] = u * u * factor;
  }
}

/// Sums of four rows of gradients, weighted by the splines and by their slopes.
template <typename T> struct EdgeGradient {
  alignas(64) T around[HarmonicRow<T>::SIZE], along[HarmonicRow<T>::SIZE];

  VITRIFY_INLINE EdgeGradient(const T *rows, const MeasuredEdges<T> &edges, const T (*slopes)[BLOCK], int e)
  {
    using Row = HarmonicRow<T>;
    for (int q = 0; q < Row::PARTS; ++q) {
      typename Row::V values_sum = {}, slopes_sum = {};
      for (int t = 0; t < 4; ++t) {
        const auto row = load_vector(rows + t * Row::SIZE + q * Row::LENGTH);
        values_sum += row * edges.weights[t][e];
        slopes_sum += row * slopes[t][e];
      }
      store_vector(around + q * Row::LENGTH, values_sum);
      store_vector(along + q * Row::LENGTH, slopes_sum);
    }
  }

  // The gradient by the vector to the neighbour, whose direction is x, y, z; `more` is the one by its length.
  VITRIFY_INLINE void gradient(T x, T y, T z, T inverse, T more, T *to) const
  {
    constexpr T third = T(0.28867513459481287), sharp = T(1.7320508075688773);    // 1 / sqrt(12), 6 / sqrt(12)
    const T radial = more + along[0] + x * (along[1] + y * along[4] + z * along[7]) + y * (along[2] + z * along[5]) +
                     z * along[3] + (T(3) * z * z - T(1)) * third * along[6] + T(0.5) * (x * x - y * y) * along[8];
    const T by_x = around[1] + y * around[4] + z * around[7] + x * around[8];
    const T by_y = around[2] + x * around[4] + z * around[5] - y * around[8];
    const T by_z = around[3] + y * around[5] + x * around[7] + z * sharp * around[6];
    const T rest = radial - (by_x * x + by_y * y + by_z * z) * inverse;
    to[0] = by_x * inverse + rest * x;
    to[1] = by_y * inverse + rest * y;
    to[2] = by_z * inverse + rest * z;
  }
};

// Gradients by the vectors to the neighbours, (n, 4).
template <typename T>
void edge_forces(const GlassVAENetwork<T> &net, const NeighbourQuery &s, const int *places, const T *sums,
                 const MeasuredEdges<T> &edges, T (*gradients)[4])
{
  alignas(64) T slopes[4][BLOCK];
  slope_edges(net, edges, slopes);
  const int kind = net.splines + 3;
  const T *least = net.least + static_cast<std::ptrdiff_t>(s.types[s.place]) * net.n_species;
  for (int e = 0; e < edges.n; ++e) {
    const int other = s.types[places[e]];
    const EdgeGradient<T> edge(sums + static_cast<std::ptrdiff_t>(other * kind + edges.rows[e]) * HarmonicRow<T>::SIZE,
                               edges, slopes, e);
    T core = T(0);
    if (edges.distances[e] < least[other]) {
      const T inside = T(1) - edges.distances[e] / least[other];
      core = T(-300) * inside * inside / least[other];
    }
    edge.gradient(edges.harmonics[1][e], edges.harmonics[2][e], edges.harmonics[3][e], edges.inverse[e], core,
                  gradients[e]);
    gradients[e][3] = T(0);
  }
}

/// Sums of r_ij f_ij over pairs: rows of x, y and z of r_ij.
struct PairVirial {
  Double4 rows[3] = {Double4::all(0.0), Double4::all(0.0), Double4::all(0.0)};

  // `force` acts on the centre.
  VITRIFY_INLINE void add(const double (&vector)[3], const Double4 &force)
  {
    for (int k = 0; k < 3; ++k) rows[k] = rows[k] - force * vector[k];
  }
  // xx, yy, zz, xy, xz, yz
  VITRIFY_INLINE void read(double *to) const
  {
    for (int k = 0; k < 3; ++k) to[k] = rows[k][k];
    to[3] = 0.5 * (rows[0][1] + rows[1][0]);
    to[4] = 0.5 * (rows[0][2] + rows[2][0]);
    to[5] = 0.5 * (rows[1][2] + rows[2][1]);
  }
};

// Adds half of what one pair has to either node.
VITRIFY_INLINE void share_virial(const PairVirial &pair, double rounder, double *one, double *other)
{
  double virial[6];
  pair.read(virial);
  for (int k = 0; k < 6; ++k) {
    const double half = (0.5 * virial[k] + rounder) - rounder;
    one[k] += half;
    other[k] += half;
  }
}

template <typename T>
void add_forces(const GlassVAENetwork<T> &net, const NeighbourQuery &s, const FoundNeighbours<T> &found,
                const GlassVAEScratch<T> &scratch, const GlassVAEGradient<T> &by, const GlassVAEForces<T> &to)
{
  moments_backward(net, s.types[s.place], scratch, by, to.constant);
  const int n = find_neighbours<T>(s, net.cutoff_square, found);
  MeasuredEdges<T> edges;
  alignas(64) T gradients[BLOCK][4];
  Double4 own = Double4::all(0.0);
  const Double4 rounder = Double4::all(to.rounder);
  PairVirial virial;
  for (int first = 0; first < n; first += BLOCK) {
    const int *places = found.ids + first;
    measure_found(net, found, first, n - first < BLOCK ? n - first : BLOCK, edges);
    edge_forces(net, s, places, scratch.sums, edges, gradients);
    for (int e = 0; e < edges.n; ++e) {
      const Double4 rounded = (converted<double>(load<Four<T>>(gradients[e])) * to.scale + rounder) - rounder;
      own += rounded;
      double *theirs = to.forces + 4 * static_cast<std::ptrdiff_t>(places[e]);
      store(theirs, load<Double4>(theirs) - rounded);
      const double vector[3] = {static_cast<double>(found.vectors[0][first + e]),
                                static_cast<double>(found.vectors[1][first + e]),
                                static_cast<double>(found.vectors[2][first + e])};
      virial.add(vector, rounded);
      if (!to.virials) continue;
      PairVirial pair;
      pair.add(vector, rounded);
      share_virial(pair, to.rounder, to.virials + 6 * static_cast<std::ptrdiff_t>(places[e]),
                   to.virials + 6 * static_cast<std::ptrdiff_t>(s.place));
    }
  }
  double *mine = to.forces + 4 * static_cast<std::ptrdiff_t>(s.place);
  store(mine, load<Double4>(mine) + own);
  double sums[6];
  virial.read(sums);
  for (int k = 0; k < 6; ++k) to.virial[k] += sums[k];
}

}    // namespace

}    // namespace vitrify
