"""Learned dynamics as a dynamics of ASE; it gives the same trajectories as `fix ogn`."""

# mypy: allow-untyped-calls

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from ase import Atoms
from ase.md.md import MolecularDynamics
from ase.parallel import world
from ase.utils import IOContext
from numpy.typing import NDArray

from vitrify.core.compiled import _core
from vitrify.core.counter_rng import Stream, normal3
from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.whole_numbers import whole_number
from vitrify.data.ase_atoms import check_periodic, exchange, types_of
from vitrify.engines.open import open_checked
from vitrify.modelfile.validity import Impossible
from vitrify.ogn.guard import NotANumber, Refusal, not_finite
from vitrify.ogn.interface import MotionPredictor
from vitrify.ogn.metadata import OGNMetadata
from vitrify.ogn.restart import count_in, held_by, number_in, sign_of
from vitrify.ogn.step import (
    Langevin,
    OGNStepper,
    as_langevin,
    langevin_half_step,
    rescale_to_energy,
    verlet_stride,
)

_REMEDY = (
    ": start from a state like those that the model was trained on, let fallback=M with a calculator take such "
    "strides, or go on with guard=False"
)
_COUNTED = " (atoms counted from 1)"
_SAME_ENERGY = 1e-6  # of the kinetic energy: atoms that differ by less have the energy that a run before has held


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
        guard: refuse strides far outside of the training data, before anything moves: pairs that are much closer,
            moves that are much longer, temperatures that are much higher. False refuses only what is no number.
        fallback: number of steps of velocity Verlet, with the forces of a calculator, that take a refused stride; None:
            a refusal is an error.
        first_step: number of strides that the atoms have behind them; the noise of langevin depends on it. By default
            that of `atoms.info`, where each stride leaves it, so that a run goes on after a restart from a trajectory
            as if it had not stopped; 0 without. A number given starts the counts of `work` and strides anew.
        trust: run the program in an unknown file in torch; see `vitrify.engines.load.load_model`.
        kwargs: further arguments of `ase.md.md.MolecularDynamics`, such as append_trajectory.

    Attributes:
        work: energy that rescaling or the thermostat has removed so far, in the model's unit; the scalar of `fix ogn`.
            The sum of total energy and work shows whether the model itself conserves energy.
        current_step: number of strides that the atoms have behind them, as LAMMPS's step.
        predictions, fallbacks: number of strides that the model has predicted, and that velocity Verlet took in place
            of refused predictions; elements 7 and 8 of the vector of `fix ogn`.

    `atoms.info` has "ogn_model", a sign of the model that is the same in each precision, "ogn_step", "ogn_work",
    "ogn_predictions" and "ogn_fallbacks", and "ogn_energy", the total energy that rescaling holds. What another model
    has left there is not taken on, with a warning.

    Raises:
        VitrifyError: atoms or settings that do not fit the model; NaN; a stride that the guard refuses, with the words
            of `fix ogn`, which counts atoms from 1.
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
        guard: bool = True,
        fallback: int | None = None,
        first_step: int | None = None,
        trust: bool = False,
        **kwargs: Any,
    ) -> None:
        self._fallback_steps = _check_guard(atoms, guard, fallback)
        self.stepper = OGNStepper(open_checked(model, engine, device, "ogn", check, trust), guard)
        self.stepper.guard.warn = self._warn_of_stride
        self.stepper.guard.watch.remedy = partial(exchange, species, self.stepper.metadata)
        units = self.stepper.units
        self._types = _check_atoms(atoms, self.stepper.metadata, species, not guard)
        self._model_masses = self.stepper.masses_of(self._types)
        self._energy, self._thermostat = _check_control(atoms, energy, langevin)
        self._restore(atoms, first_step)
        if guard and not self.stepper.guard.has_all_limits:
            _warn(_core.MISSING_LIMITS)
        super().__init__(
            atoms,
            self.stepper.timestep * units.ase_time,
            trajectory=trajectory,
            loginterval=loginterval,
            **kwargs,
        )
        if logfile:
            self.attach(self.closelater(_Logger(self, logfile)), loginterval)
        self._store(self.current_step)

    def _restore(self, atoms: Atoms, first_step: int | None) -> None:
        """Sets the counts to those that the atoms bring, or to those of a new run from a step."""
        self._sign = sign_of(self.stepper.metadata)
        held = held_by(atoms.info, self._sign, _warn) if first_step is None else {"ogn_step": first_step}
        self._first_step = count_in(held, "ogn_step")
        self.predictions, self.fallbacks = count_in(held, "ogn_predictions"), count_in(held, "ogn_fallbacks")
        self.work = number_in(held, "ogn_work") or 0.0
        self._total: float | None = None
        self._held_total = number_in(held, "ogn_energy")
        self._fallbacks_of_run = 0

    def _store(self, step: int) -> None:
        """Leaves in the atoms, and so in trajectories, what a restart after a step needs."""
        self.atoms.info.update(
            ogn_model=self._sign, ogn_step=step, ogn_work=float(self.work), ogn_predictions=self.predictions,
            ogn_fallbacks=self.fallbacks,
        )  # fmt: skip
        if self._total is not None:
            self.atoms.info["ogn_energy"] = self._total

    @property
    def current_step(self) -> int:
        """Number of strides that the atoms have behind them."""
        return self._first_step + self.nsteps

    def get_time(self) -> float:
        """The time that the atoms have behind them, in ASE's unit."""
        return float(self.current_step * self.dt)

    def irun(self, steps: int = 50) -> Iterator[bool]:
        """Runs the dynamics as a generator, as in ASE; a run with refused strides ends with a count of them."""
        self._fallbacks_of_run = 0
        guard = self.stepper.guard
        self._check_number()
        if text := guard.begin_run(self.atoms.cell.array, self._types, self._model_masses, self.velocities):
            _warn(f"at step {self.current_step} {text}")
        yield from super().irun(steps)
        if self._fallbacks_of_run:
            _warn(_core.describe_fallbacks(self._fallbacks_of_run))
        if text := guard.watch.summary("strides"):
            _warn(text)

    def _check_number(self) -> None:
        if len(self.atoms) != len(self._types):
            raise VitrifyError(f"the number of atoms changed from {len(self._types)} to {len(self.atoms)}: start again")

    @property
    def strides_outside(self) -> int:
        """Number of strides of these dynamics that began outside of the training data, as element 9 of `fix ogn`."""
        return self.stepper.guard.watch.outside

    def _warn_of_stride(self, text: str) -> None:
        _warn(f"at step {self.current_step + 1} {text}")

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
        return self.stepper.units.kinetic_energy(self._model_masses, self.velocities)

    @property
    def temperature(self) -> float:
        """Kinetic temperature in the model's unit, with LAMMPS's 3N - 3 degrees of freedom."""
        return self.stepper.units.temperature_of(self._model_masses, self.velocities)

    def step(self) -> None:
        """One stride, with energy control around it."""
        atoms = self.atoms
        self._check_number()
        if self._energy == "rescale" and self._total is None:
            self._total = self._energy_to_hold()
        velocities = self._thermalise(self.velocities, Stream.LANGEVIN_BEFORE)
        positions, velocities = self._stride(velocities)
        velocities = self._thermalise(velocities, Stream.LANGEVIN_AFTER)
        atoms.set_positions(positions)
        if self._total is not None:
            potential = atoms.get_potential_energy()
            velocities = self._control(
                velocities,
                rescale_to_energy(velocities, self._model_masses, potential, self._total, self.stepper.units),
            )
        atoms.set_velocities(velocities * self.stepper.units.ase_velocity)
        self._store(self.current_step + 1)

    def _energy_to_hold(self) -> float:
        """The total energy of the atoms; after a restart that of the first run, if the atoms still have it."""
        kinetic = self.kinetic_energy
        present = float(self.atoms.get_potential_energy() + kinetic)
        held = self._held_total
        return held if held is not None and abs(held - present) <= _SAME_ENERGY * kinetic else present

    def _stride(self, velocities: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions and velocities (N, 3) one stride later, in the model's units; the atoms have not moved yet."""
        atoms, number = self.atoms, self.current_step + 1
        try:
            found = self.stepper.step(atoms.positions, velocities, atoms.cell.array, self._types)
        except NotANumber as error:
            raise VitrifyError(f"{error} at step {number}{_COUNTED}") from None
        except Impossible as error:
            raise VitrifyError(f"at step {number} {error}") from None
        except Refusal as refusal:
            if not self._fallback_steps:
                counted = _COUNTED if "atom" in str(refusal) else ""
                remedy = _REMEDY if self.stepper.guard.active else ""
                raise VitrifyError(f"{refusal} at step {number}{counted}{remedy}") from None
            return self._fall_back(str(refusal), velocities)
        self.predictions += 1
        return found

    def _fall_back(
        self, reason: str, velocities: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions and velocities (N, 3) after the stride in steps of velocity Verlet with the calculator's forces."""
        number, steps = self.current_step + 1, self._fallback_steps
        self._fallbacks_of_run += 1
        if words := _core.describe_fallback(reason, number, steps, self._fallbacks_of_run):
            _warn(words)
        found = verlet_stride(self.atoms, velocities, self._model_masses, self.stepper, steps)
        if bad := not_finite(*found, ids=np.arange(1, len(velocities) + 1)):
            raise VitrifyError(
                f"velocity Verlet leaves atom {bad} without a finite position or velocity at step {number}{_COUNTED}: "
                "atoms overlap, start from a state without such pairs"
            )
        self.fallbacks += 1
        return found

    def _thermalise(self, velocities: NDArray[np.float64], stream: int) -> NDArray[np.float64]:
        if self._thermostat is None:
            return velocities
        stepper = self.stepper
        ids = np.arange(1, len(velocities) + 1)
        noise = normal3(ids, self.current_step + 1, self._thermostat.seed, stream)
        return self._control(
            velocities,
            langevin_half_step(
                velocities, self._model_masses, stepper.timestep, self._thermostat, stepper.units, noise
            ),
        )

    def _control(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
        """Velocities `after` (N, 3); the kinetic energy that `before` (N, 3) had beyond them is counted as work."""
        units, masses = self.stepper.units, self._model_masses
        self.work += units.kinetic_energy(masses, before) - units.kinetic_energy(masses, after)
        return after


def _check_guard(atoms: Atoms, guard: bool, fallback: int | None) -> int:
    """The number of steps of the fallback, 0 for none; VitrifyError for settings that make no sense."""
    if not isinstance(guard, bool | np.bool_):
        raise VitrifyError(f"guard is {guard!r}: give True or False")
    if fallback is None:
        return 0
    steps = whole_number(fallback)
    if not guard or steps is None or steps < 1:
        raise VitrifyError(
            f"fallback wants guard=True and a number of steps >= 1, got guard={guard} and fallback={fallback!r}"
        )
    if atoms.calc is None:
        raise VitrifyError("fallback needs forces: attach a calculator, atoms.calc = ...")
    return steps


def _warn(words: str) -> None:
    warnings.warn(f"OGNDynamics: {words}", VitrifyWarning, stacklevel=3)


def _check_atoms(
    atoms: Atoms, metadata: OGNMetadata, species: Mapping[str, str] | None, force: bool
) -> NDArray[np.int64]:
    """The types (N,) of the atoms, from 0; VitrifyError if the model cannot move these atoms."""
    check_periodic(atoms)
    if atoms.constraints:
        names = ", ".join(type(constraint).__name__ for constraint in atoms.constraints)
        raise VitrifyError(f"the atoms have constraints ({names}), which learned dynamics cannot keep: remove them")
    types = types_of(atoms.get_chemical_symbols(), metadata, species, force)
    _match_masses(atoms, types, metadata, species)
    return types


def _match_masses(
    atoms: Atoms, types: NDArray[np.int64], metadata: OGNMetadata, species: Mapping[str, str] | None
) -> None:
    """Compares the masses with the model's for types (N,); in reduced units, ASE's default masses are replaced by them.

    Raises VitrifyError for masses that differ.
    """
    if metadata.units == "lj" and not atoms.has("masses"):
        velocities = atoms.get_velocities()
        atoms.set_masses(np.asarray(metadata.masses)[types])
        atoms.set_velocities(velocities)
        return
    masses = atoms.get_masses()
    wrong = _core.find_wrong_mass(masses.tolist(), types.tolist(), list(metadata.masses))
    if wrong:
        remedy = "use atoms.set_masses, or a model for these masses"
        if wrong.order:
            remedy = exchange(species, metadata, wrong.order)
        what = f"atom {wrong.index} ({atoms.symbols[wrong.index]})"
        raise VitrifyError(wrong.describe(what, list(metadata.species), remedy))


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
        values = [dynamics.current_step * dynamics.stepper.timestep]
        if dynamics.atoms.calc is not None:
            potential = dynamics.atoms.get_potential_energy()
            values += [potential + kinetic, potential]
        values += [kinetic, dynamics.temperature, dynamics.work]
        self.file.write(" ".join(f"{value:14.6f}" for value in values) + "\n")
        self.file.flush()
