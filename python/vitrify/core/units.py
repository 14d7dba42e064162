"""LAMMPS unit systems, with LAMMPS's own constants (src/update.cpp), and their conversion to ASE's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError, did_you_mean


@dataclass(frozen=True)
class Units:
    """A LAMMPS unit system.

    boltz: Boltzmann's constant (energy / temperature). mvv2e: factor from mass velocity^2 to energy. ftm2v: factor from
    force / mass * time to velocity. nktv2p: factor from energy / volume to pressure. length, time, energy, temperature,
    pressure: labels of the units, for axes and tables.
    ase_velocity, ase_time: the unit of velocity and of time in ASE's units (A, eV, amu); 1 for reduced units, whose
    numbers ASE takes unconverted.
    """

    name: str
    boltz: float
    mvv2e: float
    ftm2v: float
    nktv2p: float
    length: str
    time: str
    energy: str
    temperature: str
    pressure: str
    ase_velocity: float
    ase_time: float

    def kinetic_energy(self, masses: ArrayLike, velocities: ArrayLike) -> float:
        """The kinetic energy sum m v^2 / 2, in the unit of energy; masses (N,), velocities (N, 3)."""
        m, v = np.asarray(masses, float), np.asarray(velocities, float)
        return 0.5 * self.mvv2e * float(np.sum(m[:, None] * v**2))

    def temperature_of(self, masses: ArrayLike, velocities: ArrayLike, n_dof: int | None = None) -> float:
        """Kinetic temperature of velocities (N, 3) with masses (N,); `n_dof` defaults to LAMMPS's 3N - 3, or 3."""
        dof = _core.degrees_of_freedom(len(np.asarray(velocities))) if n_dof is None else n_dof
        return 2.0 * self.kinetic_energy(masses, velocities) / (dof * self.boltz)

    def thermal_velocity(self, masses: ArrayLike, temperature: float) -> np.ndarray:
        """Standard deviation sqrt(kT/m) of a velocity component, for each of the masses: the shape of `masses`."""
        return np.sqrt(self.boltz * temperature / (np.asarray(masses, float) * self.mvv2e))


# ASE's time unit is A sqrt(amu/eV) = 10.1805... fs (CODATA 2014, ase.units), i.e. 1 ps = 98.2269... of them.
_ASE_PER_PS = 98.22694788464062

GRAMS = 1.66053907  # g/cm^3 in a unit of u/A^3
_SYSTEMS = {
    "lj": Units("lj", 1.0, 1.0, 1.0, 1.0, "sigma", "tau", "epsilon", "T*", "epsilon/sigma^3", 1.0, 1.0),
    "metal": Units(
        "metal",
        8.617343e-5,
        1.0364269e-4,
        1.0 / 1.0364269e-4,
        1.6021765e6,
        "A",
        "ps",
        "eV",
        "K",
        "bar",
        1.0 / _ASE_PER_PS,
        _ASE_PER_PS,
    ),
}


def get_units(name: str) -> Units:
    """The unit system called `name` ("lj" or "metal"); VitrifyError for another name."""
    if name not in _SYSTEMS:
        raise VitrifyError(f"units {name!r} are not supported{did_you_mean(name, _SYSTEMS)}: use lj or metal")
    return _SYSTEMS[name]
