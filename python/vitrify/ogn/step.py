"""One stride of an OGN, and the control of the energy around it, in the model's LAMMPS units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrify.core.errors import VitrifyError
from vitrify.core.seeds import check_seed
from vitrify.core.units import Units, get_units
from vitrify.core.validation import as_vectors, check_cell
from vitrify.ogn.guard import Guard
from vitrify.ogn.interface import MotionPredictor

Array = NDArray[np.float64]


class OGNStepper:
    """Advances configurations by one stride of an OGN: r += dr, v += dv.

    guard: refuse strides far outside of the training data, as `fix ogn` does; False refuses only what is no number.
    """

    def __init__(self, model: MotionPredictor, guard: bool = True) -> None:
        self.model = model
        self.guard = Guard(model, guard)
        self.metadata = model.metadata
        self.units: Units = get_units(model.metadata.units)
        self.timestep = model.metadata.timestep

    def masses_of(self, types: ArrayLike) -> Array:
        """The model's masses (N,) of atoms of `types` (N,), from 0."""
        masses: Array = np.asarray(self.metadata.masses, dtype=np.float64)[np.asarray(types)]
        return masses

    def step(
        self,
        positions: ArrayLike,
        velocities: ArrayLike,
        cell: ArrayLike,
        types: ArrayLike,
        ids: NDArray[np.integer] | None = None,
    ) -> tuple[Array, Array]:
        """Positions and velocities (N, 3) float64 one stride later.

        Args:
            positions, velocities: (N, 3) in the model's units, wrapped or not; the result is not wrapped.
            cell: (3, 3) rows, periodic.
            types: (N,) index into the model's species.
            ids: (N,) numbers of the atoms, for messages; by default from 1, as LAMMPS counts.

        Raises:
            vitrify.ogn.guard.Refusal: strides that the guard refuses.
            vitrify.ogn.guard.NotANumber: positions or velocities that are not finite.
            VitrifyError: wrong shapes or types, a cell without volume.
        """
        r, v = as_vectors("positions", positions), as_vectors("velocities", velocities)
        if len(v) != len(r):
            raise VitrifyError(f"got {len(r)} positions and {len(v)} velocities: give one of each for every atom")
        kinds = self._check_types(types, len(r))
        numbers = np.arange(1, len(r) + 1) if ids is None else ids
        dr, dv = self.guard.predict(r, v, check_cell(cell), kinds, self.masses_of(kinds), numbers)
        return r + dr, v + dv

    def _check_types(self, types: ArrayLike, n_atoms: int) -> NDArray[np.int64]:
        kinds, n_species = np.asarray(types), len(self.metadata.species)
        if kinds.shape != (n_atoms,) or not np.issubdtype(kinds.dtype, np.integer):
            raise VitrifyError(f"types have shape {kinds.shape} and dtype {kinds.dtype}: give {n_atoms} integers")
        if n_atoms and not (kinds.min() >= 0 and kinds.max() < n_species):
            raise VitrifyError(
                f"types run from {kinds.min()} to {kinds.max()}: the model has {n_species} species "
                f"({', '.join(self.metadata.species)}), counted from 0"
            )
        return kinds.astype(np.int64)


def rescale_to_energy(velocities: Array, masses: Array, potential: float, total: float, units: Units) -> Array:
    """Velocities (N, 3) scaled about the centre of mass so that kinetic + potential energy is `total`:

        v' = V + s (v - V),   V = sum m v / sum m,   s^2 = (E - U - K_V) / (K - K_V),   K_V = sum m V^2 / 2

    Momentum does not change.

    Raises:
        VitrifyError: s^2 is not positive (the potential energy alone exceeds the total).
    """
    mean = masses @ velocities / masses.sum()
    thermal = velocities - mean
    wanted = total - potential - units.kinetic_energy(masses.sum(keepdims=True), mean[None])
    present = units.kinetic_energy(masses, thermal)
    if not (wanted > 0.0 and present > 0.0):
        raise VitrifyError(
            f"energy rescale cannot hold the total energy {total:.8g}: it leaves {wanted:.8g} "
            f"for the kinetic energy, which is {present:.8g}; the model has left its range of training"
        )
    return np.asarray(mean + np.sqrt(wanted / present) * thermal)


@dataclass(frozen=True)
class Langevin:
    """A Langevin thermostat.

    temperature, damp: temperature and damping time, in the model's units. seed: of the noise, 1 to 2^31 - 1.

    Raises VitrifyError for values out of range.
    """

    temperature: float
    damp: float
    seed: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.temperature) and self.temperature >= 0):
            raise VitrifyError(f"langevin temperature {self.temperature}: give a number that is not negative")
        if not (np.isfinite(self.damp) and self.damp > 0):
            raise VitrifyError(f"langevin damp {self.damp}: give a positive time")
        object.__setattr__(self, "seed", check_seed(self.seed, "langevin seed"))


def as_langevin(value: Langevin | Sequence[float] | None) -> Langevin | None:
    """A thermostat from its three numbers (temperature, damping time, seed), or as it is.

    Raises VitrifyError for another number of values, and for values out of range.
    """
    if value is None or isinstance(value, Langevin):
        return value
    try:
        return Langevin(*value)  # type: ignore[arg-type]
    except TypeError:
        raise VitrifyError(f"langevin is {value!r}: give (temperature, damping time, seed)") from None


def langevin_half_step(
    velocities: Array, masses: Array, timestep: float, thermostat: Langevin, units: Units, noise: Array
) -> Array:
    """Velocities (N, 3) after the exact solution of the Ornstein-Uhlenbeck process over half a timestep h:

        v' = c v + sqrt((1 - c^2) k T / m) xi,   c = exp(-h / (2 tau)),   xi = noise (N, 3) ~ N(0, 1)

    with damping time tau. A half-step before and one after each prediction keep Maxwell's distribution for any h / tau.
    """
    c = np.exp(-0.5 * timestep / thermostat.damp)
    sigma = units.thermal_velocity(masses, thermostat.temperature) * np.sqrt(1.0 - c * c)
    return np.asarray(c * velocities + sigma[:, None] * noise)


def verlet_stride(
    atoms: Any, velocities: NDArray[np.float64], masses: NDArray[np.float64], stepper: OGNStepper, steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions and velocities (N, 3) of ASE's atoms after one stride in `steps` steps of velocity Verlet.

    velocities: (N, 3) at the start; masses: (N,); all in the model's units. The calculator of the atoms gives the
    forces; the atoms do not move.
    """
    moved, dt = atoms.copy(), stepper.timestep / steps
    moved.calc = atoms.calc
    half_kick = 0.5 * dt * stepper.units.ftm2v / masses[:, None]
    v = velocities.copy()
    forces = moved.get_forces()
    for _ in range(steps):
        v += half_kick * forces
        moved.positions += dt * v
        forces = moved.get_forces()
        v += half_kick * forces
    return moved.positions, v
