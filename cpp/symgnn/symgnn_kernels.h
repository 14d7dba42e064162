// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

// What the native engine computes in its inner loops for models of structures, for one precision T. As
// native_kernels.h, this header holds plain data only.

namespace vitrify {

struct CellRange;

/// Neighbours that are worked on at a time, and the length of an array of a value for each of them: no power of two, so
/// that arrays that follow one another do not compete for the same lines of the cache.
constexpr int NEAR = 256;
constexpr int NEAR_STRIDE = 272;
/// Knots of a table of pair functions: python/vitrify/models/stiffness.py.
constexpr int KNOTS = 1024;
/// Values that each bond of an atom has.
constexpr int BOND_TERMS = 13;
/// Atoms, of one species, whose fields and networks are evaluated together.
constexpr int ATOMS = 16;

/// Where to look for the neighbours of an atom: runs of the nodes of a NodeGrid, `place` being the atom's own.
struct NeighbourQuery {
  const int *ids;    // the nodes as they are sorted, and their coordinates
  const double *axes[3];
  const int *types;    // of nodes, as the host counts them
  int place;
  const CellRange *runs;
  int n_runs;
};

/// Descriptors of one atom. The width of an array is the number of its columns, rounded up to whole vectors.
template <typename T> struct DescriptorArguments {
  int n_species, degree, basis, harmonics, width, descriptors;    // harmonics: (degree + 1)^2; width: of basis
  double inner_square;
  T start, inverse_step;    // of the radial functions
  const T *recursion;       // for m = 0 ... degree: Q_mm, then for l > m the two factors of Q_lm
  const T *centre;          // (descriptors)
  // Room for what may be near, and one more vector.
  int *found;
  T *vectors[3], *sorted[3], *lengths;
  // Room for NEAR neighbours.
  T *angular;      // (harmonics, NEAR_STRIDE)
  T *radial;       // (NEAR, width)
  T *densities;    // (species, harmonics, width), and one more vector
  int *ends;       // (species + 1)
};

/// Sums over the bonds of one atom: see native_stiffness.inl.
template <typename T> struct BondArguments {
  double cutoff_square;
  double start, inverse_step;    // of the table
  const double *table;           // (pairs of species, KNOTS, 3)
  const T *softness;             // (n_nodes, 6), where neighbours yield
  // Room for what may be near, and one more vector.
  int *found;
  T *vectors[3];
  double *terms;    // (BOND_TERMS, NEAR_STRIDE)
};

/// Sums over the shells around one atom.
template <typename T> struct ShellSums {
  int shells, width;    // width: of the fields
  double cutoff_square;
  T core, inverse_step;
  const T *scale;     // (shells)
  const T *fields;    // (n_nodes, width)
  int n_species;
  double *least;    // (species, species): smallest squared distances so far, of a centre and a neighbour
  // Room for what may be near, and one more vector.
  int *found;
  double *squares;
  T *radial;    // (shells, NEAR_STRIDE)
};

/// y (rows, width) += x (rows, inner) w (inner, width); width: whole vectors.
template <typename T> struct Product {
  int rows, inner, width;
  const T *x, *w;
  std::ptrdiff_t x_stride;
  T *y;
};

/// What the members of the ensemble say of atoms of one species.
template <typename T> struct Readout {
  int members, fields, inputs, width, hidden, hidden_width;    // inputs: own fields and shells; width: of the fields
  const T *linear;                                             // (inputs, width)
  const T *first_weight;                                       // (members, fields inputs, hidden_width)
  const T *first_bias;                                         // (members, hidden_width)
  const T *last_weight;                                        // (members, hidden_width), 0 beyond hidden
  // Room for ATOMS atoms.
  T *arranged;    // (ATOMS, fields inputs)
  T *hiddens;     // (ATOMS, hidden_width)
};

/// What one instruction set has for the precision T.
template <typename T> struct SymGNNKernels {
  int lanes;    // values of a vector
  /// Descriptors less their centre; writes one vector more.
  void (*describe)(const DescriptorArguments<T> &, const NeighbourQuery &, T *descriptors);
  void (*multiply)(const Product<T> &);
  /// Energy, virial and stiffness (19), and what neighbours that yield take off the stiffness (6).
  void (*bind)(const BondArguments<T> &, const NeighbourQuery &, double *sums);
  void (*yield)(const BondArguments<T> &, const NeighbourQuery &, double *sums);
  /// Adds to sums (shells, width).
  void (*sum)(const ShellSums<T> &, const NeighbourQuery &, T *sums);
  /// found (n, members) from n <= ATOMS rows of own and summed fields (n, inputs, width) and direct ones (n, members).
  void (*energies_and_gradient)(const Readout<T> &, int n, const T *values, const T *direct, T *found);
};

}    // namespace vitrify
