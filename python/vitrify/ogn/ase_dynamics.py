"""Learned dynamics as a dynamics of ASE; it gives the same trajectories as `fix ogn`."""

# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from ase import Atoms
from ase.md.md import MolecularDynamics
from ase.parallel import world
from ase.utils import IOContext
from numpy.typing import NDArray

from vitrify.core.counter_rng import normal3
from vitrify.core.errors import VitrifyError
from vitrify.data.ase_atoms import check_periodic, types_of
from vitrify.engines.open import open_checked
from vitrify.ogn.interface import MotionPredictor
from vitrify.ogn.metadata import OGNMetadata
from vitrify.ogn.step import (
    MASS_TOLERANCE,
    Langevin,
    OGNStepper,
    as_langevin,
    kinetic_energy,
    langevin_half_step,
    rescale_to_energy,
)


class OGNDynamics(MolecularDynamics):
    """Moves atoms by one stride of an OGN in each step; neither forces nor a calculator are needed.

    With models in metal units, ASE's units are used (A, eV, amu), and one step is `stride` base steps long. Models in
    reduced units take positions and velocities as they stand. If the atoms then have no masses but ASE's defaults, they
    get the model's, and keep their velocities.

    Args:
        atoms: periodic in three directions, any cell, no constraints. Positions are not wrapped.
        model: file, name of a shipped model, or a model that `vitrify.engines.open.open_model` has returned.
        species: the model's species of each chemical symbol, {"Ar": "A", "Kr": "B"}; by default the symbols themselves.
        trajectory, logfile, loginterval: as in ASE; the log needs no calculator.
        energy: "rescale" keeps the total energy of the start by scaling velocities, which needs a calculator; "none".
        langevin: (temperature, damping time, seed) of a thermostat, in the model's units. An exact half-step of it
            stands before and after each prediction.
        check: replay the model's reference case first.
        engine: "native" or "torch"; by default the native one where the file has weights for it and device is "cpu".
        device: "cpu" or "cuda:0".
        trust: run the program in an unknown file in torch; see `vitrify.engines.load.load_model`.
        kwargs: further arguments of `ase.md.md.MolecularDynamics`, such as append_trajectory.

    Attributes:
        work: energy that rescaling or the thermostat has removed so far, in the model's unit; the scalar of `fix ogn`.
            The sum of total energy and work shows whether the model itself conserves energy.

    Raises:
        VitrifyError: atoms or settings that do not fit the model; NaN.
    """

    def __init__(
        self,
        atoms: Atoms,
        model: str | Path | MotionPredictor,
        species: Mapping[str, str] | None = None,
        trajectory: Any = None,
        logfile: IO[str] | str | Path | None = None,
        loginterval: int = 1,
        energy: Literal["none", "rescale"] = "none",
        langevin: Langevin | tuple[float, float, int] | None = None,
        check: bool = False,
        engine: Literal["native", "torch"] | None = None,
        device: str = "cpu",
        trust: bool = False,
        **kwargs: Any,
    ) -> None:
        self.stepper = OGNStepper(open_checked(model, engine, device, "ogn", check, trust))
        units = self.stepper.units
        self._types = _check_atoms(atoms, self.stepper.metadata, species)
        self._model_masses = self.stepper.masses_of(self._types)
        self._energy, self._thermostat = _check_control(atoms, energy, langevin)
        self._total: float | None = None
        self.work = 0.0
        super().__init__(
            atoms,
            self.stepper.timestep * units.ase_time,
            trajectory=trajectory,
            loginterval=loginterval,
            **kwargs,
        )
        if logfile:
            self.attach(self.closelater(_Logger(self, logfile)), loginterval)

    def todict(self) -> dict[str, Any]:
        """Description written into trajectory files."""
        metadata = self.stepper.metadata
        return {
            **super().todict(),
            "model": self.stepper.model.path.name,
            "stride": metadata.stride,
            "units": metadata.units,
        }

    def _refresh_properties(self) -> None:
        """Does nothing: ASE computes forces here, and these dynamics have none."""

    @property
    def velocities(self) -> NDArray[np.float64]:
        """Velocities (N, 3) in the model's unit."""
        return np.asarray(self.atoms.get_velocities() / self.stepper.units.ase_velocity)

    @property
    def kinetic_energy(self) -> float:
        """Kinetic energy in the model's unit."""
        return kinetic_energy(self._model_masses, self.velocities, self.stepper.units)

    @property
    def temperature(self) -> float:
        """Kinetic temperature in the model's unit, with LAMMPS's 3N - 3 degrees of freedom."""
        return self.stepper.units.temperature_of(self._model_masses, self.velocities)

    def step(self) -> None:
        """One prediction, with energy control around it."""
        atoms, stepper = self.atoms, self.stepper
        if len(atoms) != len(self._types):
            raise VitrifyError(f"the number of atoms changed from {len(self._types)} to {len(atoms)}: start again")
        velocities = self.velocities
        if self._energy == "rescale" and self._total is None:
            self._total = atoms.get_potential_energy() + self.kinetic_energy
        velocities = self._thermalise(velocities, half=0)
        positions, velocities = stepper.step(atoms.positions, velocities, atoms.cell.array, self._types)
        velocities = self._thermalise(velocities, half=1)
        atoms.set_positions(positions)
        if self._total is not None:
            potential = atoms.get_potential_energy()
            velocities = self._control(
                velocities,
                rescale_to_energy(velocities, self._model_masses, potential, self._total, stepper.units),
            )
        atoms.set_velocities(velocities * stepper.units.ase_velocity)

    def _thermalise(self, velocities: NDArray[np.float64], half: int) -> NDArray[np.float64]:
        if self._thermostat is None:
            return velocities
        stepper = self.stepper
        ids = np.arange(1, len(velocities) + 1)
        noise = normal3(ids, self.nsteps + 1, self._thermostat.seed, half)
        return self._control(
            velocities,
            langevin_half_step(
                velocities, self._model_masses, stepper.timestep, self._thermostat, stepper.units, noise
            ),
        )

    def _control(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
        """Velocities `after` (N, 3); the kinetic energy that `before` (N, 3) had beyond them is counted as work."""
        units, masses = self.stepper.units, self._model_masses
        self.work += kinetic_energy(masses, before, units) - kinetic_energy(masses, after, units)
        return after


def _check_atoms(atoms: Atoms, metadata: OGNMetadata, species: Mapping[str, str] | None) -> NDArray[np.int64]:
    """The types (N,) of the atoms, from 0; VitrifyError if the model cannot move these atoms."""
    check_periodic(atoms)
    if atoms.constraints:
        names = ", ".join(type(constraint).__name__ for constraint in atoms.constraints)
        raise VitrifyError(f"the atoms have constraints ({names}), which learned dynamics cannot keep: remove them")
    types = types_of(atoms.get_chemical_symbols(), metadata, species)
    _match_masses(atoms, np.asarray(metadata.masses)[types], metadata)
    return types


def _match_masses(atoms: Atoms, expected: NDArray[np.float64], metadata: OGNMetadata) -> None:
    """Compares the masses with the model's (N,); in reduced units, ASE's default masses are replaced by the model's.

    Raises VitrifyError for masses that differ.
    """
    if metadata.units == "lj" and not atoms.has("masses"):
        velocities = atoms.get_velocities()
        atoms.set_masses(expected)
        atoms.set_velocities(velocities)
        return
    masses = atoms.get_masses()
    wrong = np.flatnonzero(np.abs(masses - expected) > MASS_TOLERANCE * expected)
    if len(wrong):
        first = int(wrong[0])
        raise VitrifyError(
            f"atom {first} ({atoms.symbols[first]}) has mass {masses[first]:g}, the model was trained with "
            f"{expected[first]:g}: use atoms.set_masses, or a model for these masses"
        )


def _check_control(
    atoms: Atoms, energy: str, langevin: Langevin | tuple[float, float, int] | None
) -> tuple[str, Langevin | None]:
    if energy not in ("none", "rescale"):
        raise VitrifyError(f"energy {energy!r} is unknown: use none or rescale")
    if energy == "rescale" and atoms.calc is None:
        raise VitrifyError("energy rescale needs potential energies: attach a calculator, atoms.calc = ...")
    thermostat = as_langevin(langevin)
    if energy == "rescale" and thermostat is not None:
        raise VitrifyError("energy rescale holds the energy that langevin changes: use one of them")
    return energy, thermostat


class _Logger(IOContext):
    """Writes a line for each step, in the model's units: time, energies, temperature, work."""

    def __init__(self, dynamics: OGNDynamics, logfile: IO[str] | str | Path) -> None:
        self.dynamics = dynamics
        self.file = self.openfile(file=logfile, mode="a", comm=world)
        units = dynamics.stepper.units
        names = [f"Time[{units.time}]"]
        if dynamics.atoms.calc is not None:
            names += [f"Etot[{units.energy}]", f"Epot[{units.energy}]"]
        names += [f"Ekin[{units.energy}]", f"T[{units.temperature}]", f"Work[{units.energy}]"]
        self.file.write(" ".join(f"{name:>14}" for name in names) + "\n")

    def __call__(self) -> None:
        dynamics = self.dynamics
        kinetic = dynamics.kinetic_energy
        values = [dynamics.nsteps * dynamics.stepper.timestep]
        if dynamics.atoms.calc is not None:
            potential = dynamics.atoms.get_potential_energy()
            values += [potential + kinetic, potential]
        values += [kinetic, dynamics.temperature, dynamics.work]
        self.file.write(" ".join(f"{value:14.6f}" for value in values) + "\n")
        self.file.flush()
