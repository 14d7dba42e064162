// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/geometry.h"

#include <array>
#include <cstdint>
#include <string>

namespace vitrify {

using Matrix3 = std::array<Vector3, 3>;
/// A symmetric tensor: xx, yy, zz, xy, xz, yz, in LAMMPS's order.
using Symmetric = std::array<double, 6>;

/// A change of the box by more than this strain at once is a mistake in the pressure or in the settings: atoms would
/// move by a tenth of what lies between them and the middle of the box.
constexpr double LARGEST_STRAIN = 0.1;
/// A number density beyond the range of the training data by more than this share is refused. The pressure at which a
/// metal or a silicate is a tenth denser is of the order of its modulus over ten.
constexpr double DENSITY_MARGIN = 0.25;

/// How a box changes: all lengths by one factor, each length by one of its own, or the lengths and tilts.
enum class BoxShape { ISO, ANISO, TRI };

/// The change of a box. Rows are vectors, so that a matrix stands behind a vector that it changes.
struct CellChange {
  Matrix3 cell;          // lower triangular if it was
  Matrix3 positions;     // a position relative to a corner of the box becomes this times it
  Matrix3 velocities;    // a velocity relative to the centre of mass becomes this times it
  Symmetric strain;      // symmetric logarithm of the change, before the box is turned
};

/// Stochastic cell rescaling: a barostat of first order in time, which gives the isobaric ensemble.
///
/// Isotropic: G. Bernetti and G. Bussi, J. Chem. Phys. 153, 114107 (2020); of the shape: V. Del Tatto, P. Raiteri,
/// M. Bernetti and G. Bussi, Appl. Sci. 12, 1139 (2022). A cell h becomes h exp(M) where M = b (P - P0) dt / 3 tau plus
/// noise of the variance 2 kT b dt / (3 V tau) for each of its components, with the compressibility b; positions
/// follow, and momenta take the inverse, so that the phase space keeps its volume. The density of states for a cell is
/// V exp(-(E + P0 V) / kT) in the measure that is invariant under affine maps: of the volume alone exp(-(E + P0 V) /
/// kT) dV in every shape of the box, where P is the internal pressure with the kinetic energy that the atoms have.
///
/// The square root of the volume has noise of a constant size. The noise of two changes in a row shares a term (see
/// `box_noise`), which makes the distribution right up to the second order of the time between two changes
/// (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34).
///
/// All quantities are in consistent units: a pressure times a volume is an energy.
class CellRescaling {
public:
  /// damp: the time in which a pressure relaxes if the modulus is that of the system; the larger, the slower. modulus:
  /// inverse of the compressibility. Throws Error unless both are positive.
  CellRescaling(BoxShape shape, double damp, double modulus);

  BoxShape shape() const { return shape_; }

  /// The change after a time. cell: vectors as rows, lower triangular for TRI; pressure: of the atoms, with the kinetic
  /// energy relative to the centre of mass; target: the pressure to reach; kT: of the ensemble; noise: see `box_noise`.
  /// Throws Error for a change beyond LARGEST_STRAIN, and for numbers that are none.
  CellChange change(const Matrix3 &cell, const Symmetric &pressure, double target, double kT, double time,
                    const Symmetric &noise) const;

private:
  BoxShape shape_;
  double damp_, modulus_;
};

/// Normal numbers for the change at a step, if the one before it was `every` steps earlier: the same in every host, on
/// any number of ranks, and after a restart.
Symmetric box_noise(std::uint64_t step, std::uint64_t every, std::uint32_t seed);

/// The energy that a change of the box gives to the atoms, to the first order. kinetic: sum of m v v relative to the
/// centre of mass, in energy; virial: the rest of pressure times volume.
double energy_of_change(const CellChange &change, const Symmetric &kinetic, const Symmetric &virial);

/// A modulus that does no harm to a system in LAMMPS's units of this name, in these units of pressure: with that of a
/// stiff metal, boxes of softer systems follow more slowly, and none oscillates.
double default_modulus(const std::string &units);

/// Why a number density is refused that lies far beyond the range of the training data, low to high (0 and 0: unknown);
/// empty if it is not.
std::string refuse_density(double density, double low, double high);

}    // namespace vitrify
