// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Descriptors of how stiffly an atom is bound: what python/vitrify/symgnn/models/stiffness.py says. Tensors are six
// numbers, xx, yy, zz, xy, xz, yz.

namespace vitrify {

/// Orders of stiffness above 0, and descriptors of all orders.
constexpr int HOPS = 2;
constexpr int BOND_DESCRIPTORS = 16, ORDER_DESCRIPTORS = 6;
constexpr int N_STIFFNESS = BOND_DESCRIPTORS + HOPS * ORDER_DESCRIPTORS;

/// Eigenvalues of a tensor, in rising order.
void eigenvalues(const double tensor[6], double values[3]);

/// The compliance that belongs to a stiffness, an inverse that stays finite where the stiffness is small: how far the
/// atom yields to its neighbours.
void compliance_of(const double stiffness[6], double compliance[6]);

/// Descriptors of a stiffness of any order.
void describe_stiffness(const double stiffness[6], double descriptors[ORDER_DESCRIPTORS]);

/// Descriptors, and the stiffness of order 0, from the sums over bonds that SymGNNKernels::sum_bonds makes.
void describe_bonds(const double sums[19], double descriptors[BOND_DESCRIPTORS], double stiffness[6]);

}    // namespace vitrify
