// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "simd/instruction_set.h"
#include "simd/neighbour_query.h"
#include "simd/product.h"
#include "simd/sizes.h"

#include <cstddef>

// The inner loops of the native engine of SymGNN, for one precision T: python/vitrify/symgnn/models/exact.py. Plain
// data: see simd/instruction_set.h.

namespace vitrify {

/// Knots of a table of pair functions: python/vitrify/symgnn/models/stiffness.py.
constexpr int KNOTS = 1024;
/// Rows of BondArguments::terms.
constexpr int BOND_TERMS = 13;
/// Descriptors of one atom. The width of an array is the number of its columns, rounded up to whole vectors.
template <typename T> struct DescriptorArguments {
  int n_species, degree, basis, harmonics, width, descriptors;    // harmonics: (degree + 1)^2; width: of basis
  double inner_square;
  T start, inverse_step;    // of the radial functions
  const T *recursion;       // for m = 0 ... degree: Q_mm, then for l > m the two factors of Q_lm
  const T *centre;          // (descriptors)
  // To work in: all nodes that may be neighbours, and one more vector.
  int *found;
  T *vectors[3], *sorted[3], *lengths;
  // To work in: LONG_BLOCK neighbours.
  T *angular;      // (harmonics, LONG_STRIDE)
  T *radial;       // (LONG_BLOCK, width)
  T *densities;    // (species, harmonics, width), and one more vector
  int *ends;       // (species + 1)
};

/// Sums over the bonds of one atom: see stiffness_sums.inl.
template <typename T> struct BondArguments {
  double cutoff_square;
  double start, inverse_step;    // of the table
  const double *table;           // (pairs of species, KNOTS, 3)
  const T *compliance;           // (n_nodes, 6), for sum_compliance alone
  // To work in: all nodes that may be neighbours, and one more vector.
  int *found;
  T *vectors[3];
  double *terms;    // (BOND_TERMS, LONG_STRIDE)
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
  // To work in: all nodes that may be neighbours, and one more vector.
  int *found;
  double *squares;
  T *radial;    // (shells, LONG_STRIDE)
};

/// The readout of the members of the ensemble for atoms of one species.
template <typename T> struct Readout {
  int members, fields, inputs, width, hidden, hidden_width;    // inputs: own fields and shells; width: of the fields
  const T *linear;                                             // (inputs, width)
  const T *first_weight;                                       // (members, fields inputs, hidden_width)
  const T *first_bias;                                         // (members, hidden_width)
  const T *last_weight;                                        // (members, hidden_width), 0 beyond hidden
  // To work in: BATCH atoms.
  T *arranged;    // (BATCH, fields inputs)
  T *hiddens;     // (BATCH, hidden_width)
};

/// The kernels of one instruction set for the precision T.
template <typename T> struct SymGNNKernels {
  int lanes;    // values of a vector
  /// Descriptors less their centre; writes one vector more.
  void (*describe)(const DescriptorArguments<T> &, const NeighbourQuery &, T *descriptors);
  void (*multiply)(const Product<T> &);
  /// Sums (19) over the bonds of an atom: energy, virial (6), longitudinal (6) and transverse stiffness (6).
  void (*sum_bonds)(const BondArguments<T> &, const NeighbourQuery &, double *sums);
  /// Sums (6) of the part of the stiffness that the compliance of the neighbours takes away.
  void (*sum_compliance)(const BondArguments<T> &, const NeighbourQuery &, double *sums);
  /// Adds to sums (shells, width).
  void (*sum_shells)(const ShellSums<T> &, const NeighbourQuery &, T *sums);
  /// found (n, members) from n <= BATCH rows of own and summed fields (n, inputs, width) and direct ones (n, members).
  void (*read_out)(const Readout<T> &, int n, const T *values, const T *direct, T *found);
};

VITRIFY_DECLARE_KERNELS(SymGNNKernels<float>);
VITRIFY_DECLARE_KERNELS(SymGNNKernels<double>);

}    // namespace vitrify
