"""OGN steps in a LAMMPS without the plugin: `fix ID all python/move vitrify.lammps.OGN`, or driven from Python.

The predictions are those of `fix ogn` (cpp/lammps/ogn/fix_ogn.cpp), and so are most of the refusals.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vitrify.core.compiled import _core
from vitrify.core.counter_rng import Stream, normal3
from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.units import get_units
from vitrify.engines.open import EngineName
from vitrify.hosts.lammps.arguments import exchanged_elements, map_elements
from vitrify.hosts.lammps.library import Array
from vitrify.hosts.lammps.system import Atoms, System
from vitrify.modelfile.validity import Impossible, Order
from vitrify.ogn.guard import NotANumber, Refusal
from vitrify.ogn.interface import MotionPredictor
from vitrify.ogn.step import Langevin, OGNStepper, langevin_half_step, rescale_to_energy

_REMEDY = "start from a state like those that the model was trained on, or go on with guard no"
_TIMESTEP_TOLERANCE = 1e-6
_SAME_PLACE = 1e-9  # in units of the box edges: smaller displacements are rounding, after LAMMPS has wrapped atoms


@dataclass(frozen=True)
class Control:
    """Control of the energy and refusal of bad strides, as by the keywords of `fix ogn` (fallback needs the plugin).

    energy: "rescale" keeps the total energy. langevin: a thermostat. guard: refuse strides outside the model's range.

    Raises VitrifyError for an unknown energy, and for rescale with a thermostat.
    """

    energy: Literal["none", "rescale"] = "none"
    langevin: Langevin | None = None
    guard: bool = True

    def __post_init__(self) -> None:
        if self.energy not in ("none", "rescale"):
            raise VitrifyError(f"energy {self.energy} is unknown: use none or rescale")
        if self.energy == "rescale" and self.langevin is not None:
            raise VitrifyError("energy rescale holds the energy and langevin changes it: use one of them")


class Mover:
    """Moves all atoms of a LAMMPS by strides of an OGN.

    Args:
        lmp: as `vitrify.hosts.lammps.library.Library` takes it.
        model: file, name of a shipped model, or a model that `vitrify.engines.open.open_model` has returned.
        elements: the model's species of each atom type.
        style: name of the command, for messages.
        engine, device, trust: as for `vitrify.engines.open.open_model`.
        check: replay the model's reference case first.

    Attributes:
        work: energy that rescaling or the thermostat has removed so far (unit of energy); the scalar of `fix ogn`.

    Raises:
        VitrifyError: units, masses, timestep, elements, boundaries or atom styles that do not fit the model.
    """

    def __init__(
        self, lmp: Any, model: str | Path | MotionPredictor, elements: list[str] | tuple[str, ...], *,
        style: str = "vitrify.lammps.attach", engine: EngineName | None = None, device: str = "cpu",
        control: Control | None = None, check: bool = False, trust: bool = False,
    ) -> None:  # fmt: skip
        self.system = System(lmp, style)
        self.library, self.ranks = self.system.library, self.system.ranks
        self.control = control or Control()
        self.model: MotionPredictor = self.system.open_model(model, engine, device, "ogn", check, trust)
        self.metadata = self.model.metadata
        self.units = get_units(self.metadata.units)
        self.species = np.array(
            [0, *map_elements(style, elements, self.system.n_types, self.metadata, False)], np.int32
        )
        self.system.check(self.metadata)
        if self.library.setting("molecule_flag") == 1:
            raise self.system.error("bonds are not supported: use an atom style without them, such as atomic or charge")
        self._stepper = OGNStepper(self.model, self.control.guard)
        self._elements, guard = list(elements), self._stepper.guard
        guard.warn, guard.watch.remedy, guard.watch.word = self._warn_of_stride, self._exchange, "guard no"
        self._step = 0  # of the present stride
        self._masses_of_types = np.array([0.0, *np.array(self.metadata.masses)[self.species[1:]]])
        self._target: float | None = None
        self._box: tuple[Array, Array] | None = None
        self.work = 0.0

    def describe(self) -> str:
        """A line about the model, its engine and the mapping of types, as `fix ogn` prints it."""
        model = self.metadata
        types = ", ".join(f"{t} -> {model.species[s]}" for t, s in enumerate(self.species[1:], 1))
        return (
            f"{self.system.style}: {self.model.runs_on}, variant {model.variant}, {model.dtype}, "
            f"stride {model.stride}, timestep {model.timestep:g}, cutoff {model.cutoff:g}; types {types}"
        )

    def start_run(self) -> None:
        """Checks boundaries, masses and timestep; to be called before each run. Raises VitrifyError if one is wrong."""
        self.system.check_periodic()
        self._check_masses()
        self._check_timestep()
        self._box = None

    def _check_masses(self) -> None:
        """Raises VitrifyError for masses of types that are not the model's."""
        species = self.species[1:].tolist()
        wrong = _core.find_wrong_mass([float(m) for m in self.library.masses()], species, list(self.metadata.masses))
        if wrong:
            number = wrong.index + 1
            remedy = self._exchange(wrong.order) if wrong.order else f"use mass {number} {wrong.wanted:g}"
            raise self.system.error(wrong.describe(f"type {number}", list(self.metadata.species), remedy))

    def begin_run(self) -> None:
        """Begins to count strides for a run, and warns of a start outside of the training data; every rank calls it."""
        atoms = self.system.atoms()
        types = self.species[atoms.types]
        _, cell, _ = self.library.box()
        text = self._stepper.guard.begin_run(cell, types, self._masses_of_types[atoms.types], atoms.velocities)
        if text:
            self._warn(f"at step {self.library.step} {text}")

    def end_run(self) -> str:
        """How many strides of the run were outside of the training data, or "" if none was; counts begin anew."""
        watch = self._stepper.guard.watch
        text = watch.summary("strides")
        watch.begin_run()
        return f"{self.system.style}: {text}" if text else ""

    @property
    def strides_outside(self) -> int:
        """Strides so far that began outside of the training data."""
        return self._stepper.guard.watch.outside

    def _exchange(self, order: Order) -> str:
        """The elements to write in place of those that were given."""
        elements = exchanged_elements(self._elements, self.species[1:].tolist(), order, self.metadata)
        return f"use the elements {elements}"

    def _warn_of_stride(self, text: str) -> None:
        self._warn(f"at step {self._step} {text}")

    def _warn(self, text: str) -> None:
        if self.ranks.rank == 0:
            warnings.warn(f"{self.system.style}: {text}", VitrifyWarning, stacklevel=4)

    def move(self, step: int) -> None:
        """Moves all atoms by one stride; every rank must call this. step: number of the step at the end of the stride.

        Raises VitrifyError on all ranks for strides that the guard refuses, lost atoms, and results that are not
        finite. No atom has moved then.
        """
        self._check_timestep()
        cell = self.check_box()
        atoms = self.system.atoms()
        x, v = self.ranks.together(lambda: self._stride(atoms, cell, step))
        self.library.rows("x")[...] = x[atoms.owned]
        self.library.rows("v")[...] = v[atoms.owned]

    def _stride(self, atoms: Atoms, cell: Array, step: int) -> tuple[Array, Array]:
        """Positions and velocities (N, 3) one stride later."""
        self._step = step
        types = self.species[atoms.types]
        masses = self._masses_of_types[atoms.types]
        v = self._thermalise(atoms, atoms.velocities, masses, step, Stream.LANGEVIN_BEFORE)
        try:
            x, v = self._stepper.step(atoms.positions, v, cell, types, atoms.ids)
        except NotANumber as error:
            raise self.system.error(f"{error} at step {step}") from None
        except Impossible as error:
            raise self.system.error(f"at step {step} {error}") from None
        except Refusal as refusal:
            remedy = f": {_REMEDY}" if self.control.guard else ""
            raise self.system.error(f"{refusal} at step {step}{remedy}") from None
        except VitrifyError as error:
            raise self.system.error(f"the prediction of step {step} failed: {error}") from None
        return x, self._thermalise(atoms, v, masses, step, Stream.LANGEVIN_AFTER)

    def _thermalise(self, atoms: Atoms, v: Array, masses: Array, step: int, stream: int) -> Array:
        bath = self.control.langevin
        if bath is None:
            return v
        noise = normal3(atoms.ids, step, bath.seed, stream)
        after = langevin_half_step(v, masses, self.metadata.timestep, bath, self.units, noise)
        self.work += self.units.kinetic_energy(masses, v) - self.units.kinetic_energy(masses, after)
        return after

    @property
    def needs_energy(self) -> bool:
        """Whether `set_energy` must still be called, since energies are rescaled and the target is unknown."""
        return self.control.energy == "rescale" and self._target is None

    def set_energy(self, potential: float) -> None:
        """Takes the present total energy as the target; every rank must call this.

        potential: the present potential energy, in the unit of energy.
        """
        atoms = self.system.atoms()
        masses = self._masses_of_types[atoms.types]
        self._target = potential + self.units.kinetic_energy(masses, atoms.velocities)

    def hold_energy(self, potential: float) -> None:
        """Scales velocities to the total energy of `set_energy`; every rank must call this.

        potential: the present potential energy, in the unit of energy. Raises VitrifyError if it exceeds the total.
        """
        if self._target is None:
            return
        atoms = self.system.atoms()
        masses = self._masses_of_types[atoms.types]
        try:
            v = rescale_to_energy(atoms.velocities, masses, potential, self._target, self.units)
        except VitrifyError as error:
            raise self.system.error(str(error)) from None
        before, after = (self.units.kinetic_energy(masses, each) for each in (atoms.velocities, v))
        self.work += before - after
        self.library.rows("v")[...] = v[atoms.owned]

    def _check_timestep(self) -> None:
        found, wanted = self.library.timestep, self.metadata.timestep
        if not abs(found - wanted) <= _TIMESTEP_TOLERANCE * wanted:
            raise self.system.error(
                f"the timestep is {found:g}, but the model predicts a stride of {wanted:g}: use timestep {wanted:g}"
            )

    def check_box(self) -> Array:
        """The cell (3, 3); VitrifyError if it has changed since the start of the run."""
        origin, cell, _ = self.library.box()
        if self._box is None:
            self._box = (origin, cell)
        elif not (np.array_equal(cell, self._box[1]) and np.array_equal(origin, self._box[0])):
            raise self.system.error("a fix changes the box, which the model does not know: remove it")
        return cell


class Watch:
    """Detects a second integrator by the motion of the atoms, since LAMMPS's library does not give styles of fixes."""

    def __init__(self, system: System) -> None:
        self.system, self.library = system, system.library
        self.remember()

    def remember(self) -> None:
        """Stores the positions of this rank's atoms."""
        self._ids, self._positions = self.library.integers("id").copy(), self.library.rows("x").copy()

    def compare(self) -> None:
        """Raises VitrifyError on all ranks if atoms have moved since `remember`, other than by cell vectors."""
        _, now, before = np.intersect1d(self.library.integers("id"), self._ids, return_indices=True)
        _, cell, _ = self.library.box()
        moved = (self.library.rows("x")[now] - self._positions[before]) @ np.linalg.inv(cell)
        error = None
        if np.abs(moved - np.round(moved)).max(initial=0.0) > _SAME_PLACE:
            fixes = ", ".join(self.library.names("fix"))
            error = self.system.error(
                f"another fix moves the atoms, too: remove one of the two (unfix ID; the fixes are {fixes})"
            )
        self.system.ranks.agree(error)
