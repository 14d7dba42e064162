"""Energies, forces and stress of any calculator inside LAMMPS, through `fix external pf/callback`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from ctypes import CFUNCTYPE, c_double, c_int, c_int32, c_int64, c_void_p
from typing import Any, TypeAlias

import numpy as np
from ase import Atoms

from vitrify.core.units import get_units
from vitrify.core.validation import check_vectors
from vitrify.generation.samplers import numbers_of
from vitrify.hosts.lammps.library import Array, Library, doubles
from vitrify.hosts.lammps.system import System

Answer: TypeAlias = Mapping[str, Any]
# Callbacks by the address of their LAMMPS and the ID of the fix, kept here because LAMMPS may call them at any time.
_ALIVE: dict[tuple[int, str], Any] = {}
_INTEGERS = {4: c_int32, 8: c_int64}


class EnergyModel:
    """Adds a calculator's energy, forces and virial to those of LAMMPS's pair style, in every run and minimisation.

    Args:
        lmp: as `vitrify.hosts.lammps.library.Library` takes it; in units metal, or in units lj, whose numbers are not
            converted.
        calculator: an object with ASE's `get_property(name, atoms)` for "energy", "forces" and, for a correct pressure,
            "stress" (any calculator of ASE); or a function that takes `ase.Atoms` and returns these by name.
        elements: a chemical symbol for each atom type; if one of them is no element, they become elements 1, 2, ...
        style: name of the command, for messages.
        fix: the ID of the fix that is created.

    Attributes:
        energy: the calculator's energy at the last step, in LAMMPS's unit.

    An exception in the calculator ends the run. If Python drives LAMMPS, the command of the run raises it; inside the
    program `lmp`, it ends the program. On several ranks, the calculator of every rank computes all atoms.

    Raises:
        VitrifyError: other units, too few elements, or a LAMMPS without fix external.
    """

    def __init__(
        self, lmp: Any, calculator: Any, elements: Sequence[str], *, style: str = "vitrify.lammps.attach",
        fix: str = "vitrify_energy",
    ) -> None:  # fmt: skip
        self.system, self.fix = System(lmp, style), fix
        self.library, self.ranks = self.system.library, self.system.ranks
        get_units(self.library.units)
        if len(elements) != self.system.n_types:
            raise self.system.error(
                f"got {len(elements)} elements for {self.system.n_types} atom types: give one for each"
            )
        if not self.library.has_style("fix", "external"):
            raise self.system.error("this LAMMPS has no fix external: build it with the package MISC")
        self._numbers = np.array([0, *numbers_of(elements)])
        self._calculator = calculator
        self.energy = 0.0
        self._create()

    def _create(self) -> None:
        library, integer = self.library, _INTEGERS[self.library.integer.itemsize]
        library.command(f"fix {self.fix} all external pf/callback 1 1")
        library.command(f"fix_modify {self.fix} energy yes virial yes")
        steps = _INTEGERS[library.setting("bigint")]
        kind = CFUNCTYPE(None, c_void_p, steps, c_int, ctypes.POINTER(integer), c_void_p, c_void_p)
        callback = kind(self._called)
        _ALIVE[library.handle, self.fix] = callback
        # LAMMPS requires an address as an argument of the callback.
        address = ctypes.cast(callback, c_void_p)
        library.call("set_fix_external_callback", self.fix.encode(), address, address)

    def detach(self) -> None:
        """Removes the fix."""
        self.library.command(f"unfix {self.fix}")
        _ALIVE.pop((self.library.handle, self.fix), None)

    def _called(self, _: Any, step: int, count: int, ids: Any, x: int | None, f: int | None) -> None:
        """The callback of each step; no exception may leave it, Ctrl-C neither: ctypes would drop it."""
        try:
            forces = doubles(c_void_p.from_address(f).value if f and count else None, 3 * count).reshape(-1, 3)
            forces[...] = 0.0
            if self.library.failure is None:
                self._compute(forces)
        except BaseException as failure:
            if self.library.embedded:  # no Python waits for LAMMPS to return
                self.ranks.end(f"{self.system.style}: {type(failure).__name__}: {failure}")
            self.library.fail(failure)

    def _compute(self, forces: Array) -> None:
        atoms = self.system.atoms(velocities=False)
        origin, cell, periodic = self.library.box()

        def answer() -> tuple[float, Array, Array]:
            numbers = self._numbers[atoms.types]
            structure = Atoms(numbers, positions=atoms.positions - origin, cell=cell, pbc=periodic)
            return _checked(ask(self._calculator, structure), len(structure), abs(float(np.linalg.det(cell))))

        self.energy, found, virial = self.ranks.together(answer)
        forces[...] = found[atoms.owned]
        self.library.call("fix_external_set_energy_global", self.fix.encode(), self.energy)
        self.library.call("fix_external_set_virial_global", self.fix.encode(), (c_double * 6)(*virial))


def ask(calculator: Any, atoms: Atoms) -> Answer:
    """The energy, forces and, if available, stress of `atoms`, by name."""
    if not hasattr(calculator, "get_property"):
        answer: Answer = calculator(atoms)
        return answer
    names = ["energy", "forces"]
    # A calculator that has no list may have any property.
    if "stress" in getattr(calculator, "implemented_properties", ["stress"]):
        names.append("stress")
    return {name: calculator.get_property(name, atoms) for name in names}


def _checked(answer: Answer, n_atoms: int, volume: float) -> tuple[float, Array, Array]:
    """Energy, forces (N, 3), and the virial (6,) in LAMMPS's order and in units of energy."""
    forces = check_vectors("forces", answer["forces"], n_atoms)
    energy = float(answer["energy"])
    if not np.isfinite(energy):
        raise ValueError(f"the energy is {energy}: do atoms overlap?")
    stress = answer.get("stress")
    if stress is None:
        return energy, forces, np.zeros(6)
    full = np.asarray(stress, dtype=float)
    if full.shape == (6,):
        xx, yy, zz, yz, xz, xy = full
    else:
        (xx, xy, xz), (_, yy, yz), (_, _, zz) = full
    return energy, forces, -volume * np.array([xx, yy, zz, xy, xz, yz])


def relay(lmp: Any, library: Library) -> None:
    """Makes the commands of a `lammps.lammps` object raise the exceptions of callbacks, which LAMMPS cannot pass on."""

    def relaying(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            try:
                return method(*arguments, **options)
            finally:
                library.raise_failure()

        return call

    for name in ("command", "commands_list", "commands_string", "file"):
        setattr(lmp, name, relaying(getattr(lmp, name)))
