"""One structure as it is in its file, and what a caller wants of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PERIODIC = (True, True, True)


@dataclass(frozen=True)
class Wanted:
    """What a caller wants of a file.

    species: names of the types of a file that has type ids, in their order. columns: names of the values of each atom
    that are read; None: all numbers. atom_style: of a LAMMPS data file that does not say its own.
    """

    species: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = ()
    atom_style: str | None = None

    def chosen(self, names: Iterable[str]) -> list[str]:
        """Those of the names of a file that are wanted."""
        return [name for name in names if self.columns is None or name in self.columns]


@dataclass(frozen=True)
class RawFrame:
    """One structure as it is in its file, its lengths in the unit of the file.

    positions: (N, 3). cell: (3, 3) rows; zeros if the file has none. kinds: (N,) type ids from 1, or names of species.
    line: where the structure begins in a text file, from 1; 0 elsewhere. columns: the wanted values of each atom that
    the file has, (N,) or (N, k). known: names of all values of each atom. info: values of the structure by name.
    partial: in files of this format, some atoms may lack a label (NaN). pbc: whether each direction is periodic.
    units: LAMMPS's name of the units, if the file says it. independent: whether frames of a file of this format come
    from simulations of their own. has_columns: whether files of this format can have values of atoms. unused: what the
    file has and nobody asked for. remarks: sentences on how the file was understood where it leaves a choice.
    """

    positions: np.ndarray
    cell: np.ndarray
    kinds: np.ndarray
    line: int = 0
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    known: tuple[str, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)
    partial: bool = False
    pbc: tuple[bool, bool, bool] = PERIODIC
    units: str | None = None
    independent: bool = False
    has_columns: bool = True
    unused: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


Reader = Callable[[Path, Wanted], Iterator[RawFrame]]
