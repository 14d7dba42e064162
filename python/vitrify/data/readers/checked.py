"""Checks that a frame of a file is a periodic structure of known species, which every caller needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.core.validation import check_cell, check_vectors
from vitrify.data.readers.frame import RawFrame

_LENGTHS = {"si": "m", "cgs": "cm", "electron": "Bohr radii", "micro": "micrometres", "nano": "nm"}


def check_frame(
    frame: RawFrame, where: str, species: Sequence[str], units: str | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (N, 3), cell (3, 3) rows and types (N,) from 0 of a frame.

    where: the file, and the frame, for messages. species: names in the order of the types. units: LAMMPS's units that
    the lengths must have, "metal" or "lj", if they are known.

    Raises VitrifyError for a frame that is empty, not periodic in three directions, without a cell with a volume, of
    other species, in other units, or with numbers that are not finite.
    """
    _check_units(frame, where, units)
    if not all(frame.pbc):
        flags = " ".join("T" if flag else "F" for flag in frame.pbc)
        raise VitrifyError(
            f"{where} is not periodic in three directions (pbc {flags}): give a periodic structure, or leave it out"
        )
    if np.shape(frame.cell) == (3, 3) and not np.any(frame.cell):
        raise VitrifyError(f'{where} has no cell: write it, in extended XYZ as Lattice="ax ay az bx by bz cx cy cz"')
    try:
        positions, cell = check_vectors("positions", frame.positions), check_cell(frame.cell)
    except (VitrifyError, TypeError, ValueError) as error:
        raise VitrifyError(f"{where}: {error}") from None
    if len(positions) == 0:
        raise VitrifyError(f"{where} has no atoms: give a structure")
    return positions, cell, _types(frame.kinds, len(positions), where, species)


def _check_units(frame: RawFrame, where: str, units: str | None) -> None:
    found = frame.units
    if found in _LENGTHS:
        raise VitrifyError(
            f"{where} is in the units {found}, with lengths in {_LENGTHS[found]}: write it in units metal, real or lj"
        )
    if units is not None and found is not None and (found == "lj") != (units == "lj"):
        raise VitrifyError(f"{where} is in the units {found}, but the model has {units}: give a structure in {units}")


def _types(kinds: np.ndarray, n: int, where: str, species: Sequence[str]) -> np.ndarray:
    """Types (N,) from 0 for type ids from 1, or for names."""
    kinds = np.asarray(kinds)
    if kinds.shape != (n,):
        raise VitrifyError(f"{where}: types have the shape {kinds.shape}: give one for each of the {n} atoms")
    if kinds.dtype.kind in "US":
        present, place = np.unique(kinds.astype(str), return_inverse=True)
        unknown = sorted(set(present.tolist()) - set(species))
        if unknown:
            raise VitrifyError(
                f"{where} has atoms of {unknown[0]}, which is none of the species {', '.join(species)}"
                f"{did_you_mean(unknown[0], species)}: name all species of the file"
            )
        named: np.ndarray = np.array([species.index(name) for name in present.tolist()], dtype=np.int64)[place]
        return named
    if kinds.dtype.kind not in "iu":
        raise VitrifyError(f"{where}: types are {kinds.dtype}: give integers from 1, or names of species")
    low, high = int(kinds.min()), int(kinds.max())
    if low < 1 or high > len(species):
        raise VitrifyError(
            f"{where} has the type {low if low < 1 else high}, but {len(species)} species are named "
            f"({', '.join(species)}): types count from 1 in the order of the species"
        )
    return kinds.astype(np.int64) - 1
