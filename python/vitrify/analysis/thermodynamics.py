"""Energy and temperature along a trajectory."""

from __future__ import annotations

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.core.units import Units


def energy_drift(time: np.ndarray, energy: np.ndarray, n_atoms: int) -> float:
    """Slope of the least-squares line through the total energy (T,) at times (T,), for each atom."""
    time, energy = np.asarray(time, float), np.asarray(energy, float)
    if len(time) != len(energy) or len(time) < 2:
        raise VitrifyError(f"{len(time)} times and {len(energy)} energies were given: give the same number, at least 2")
    return float(np.polynomial.Polynomial.fit(time, energy, 1).convert().coef[1] / n_atoms)


def species_temperatures(velocities: np.ndarray, types: np.ndarray, masses: np.ndarray, units: Units) -> np.ndarray:
    """Kinetic temperature of each species: (T, n_types).

    k T_a = m_a sum_{i in a} |v_i|^2 / f_a with f_a = 3 N_a (1 - m_a / M): with the centre of mass at rest, a
    velocity component has the variance kT / m_a (1 - m_a / M), M the mass of all atoms, so that <T_a> = T.

    velocities: (T,N,3); types: (N,) from 0; masses: one for each species.
    """
    masses = np.asarray(masses, float)
    total = masses[types].sum()
    temperatures = []
    for kind, mass in enumerate(masses):
        chosen = velocities[:, types == kind]
        dof = 3 * chosen.shape[1] * (1 - mass / total)
        temperatures.append(units.mvv2e * mass * np.sum(chosen**2, axis=(1, 2)) / (dof * units.boltz))
    return np.stack(temperatures, axis=1)
