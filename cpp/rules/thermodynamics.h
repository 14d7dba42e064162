// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>

namespace vitrify {

/// Degrees of freedom of n atoms whose momentum is kept, as LAMMPS counts them; a single atom has its own three.
inline double degrees_of_freedom(double n)
{ return std::max(3.0, 3.0 * n - 3.0); }

/// Temperature of n atoms with a kinetic energy. boltz: Boltzmann's constant, in units of energy and temperature.
inline double kinetic_temperature(double kinetic, double n, double boltz)
{ return 2.0 * kinetic / (degrees_of_freedom(n) * boltz); }

}    // namespace vitrify
