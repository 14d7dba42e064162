"""Writes generated structures to one extended XYZ file, or to LAMMPS data files, as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols

from vitrify.core.errors import VitrifyError
from vitrify.core.files import atomic_path
from vitrify.core.locks import claim_file


class StructureWriter:
    """Writes `count` structures to `path`, one after the other.

    FILE.extxyz (or .xyz) holds all of them, and appears when the last one is written. FILE.data (or .lmp) is for
    LAMMPS, in metal or lj units, with type labels in the order of the elements; several files are numbered,
    FILE-1.data. paths: the files written so far. inputs: files that `path` must not be. names, masses: as for
    `lammps_data`.

    Raises VitrifyError for another suffix, for a file that cannot be written, and if another process writes it.
    """

    def __init__(
        self,
        path: str | Path,
        count: int,
        inputs: Sequence[str | Path] = (),
        names: Mapping[int, str] | None = None,
        masses: Mapping[str, float] | None = None,
    ) -> None:
        self.path, self.count, self.inputs = Path(path).expanduser(), count, inputs
        self._names, self._masses = names, masses
        self.paths: list[Path] = []
        self._lammps = self.path.suffix in (".data", ".lmp")
        if not self._lammps and self.path.suffix not in (".extxyz", ".xyz"):
            raise VitrifyError(f"structures cannot be written to {path}: give a name that ends with .extxyz or .data")
        self._stack = ExitStack()
        self._work: Any = None

    def __enter__(self) -> Self:
        self._stack.enter_context(claim_file(self.path, "vitrify generate", self.inputs))
        if not self._lammps:
            self._work = self._stack.enter_context(atomic_path(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, atoms: Atoms) -> None:
        """Writes one structure."""
        if self._lammps:
            place = self.path
            if self.count > 1:
                place = place.with_name(f"{place.stem}-{len(self.paths) + 1}{place.suffix}")
            with atomic_path(place) as work:
                work.write_text(lammps_data(atoms, self._names, self._masses))
            self.paths.append(place)
            return
        from ase.io import write

        # In UTF-8 whatever the locale, in which ASE would open the file: notes may hold names of files.
        mode = "a" if os.path.exists(self._work) and self.paths else "w"
        with open(self._work, mode, encoding="utf-8", errors="surrogateescape") as file:
            write(file, atoms, format="extxyz")
        self.paths = [self.path]


def lammps_data(atoms: Atoms, names: Mapping[int, str] | None = None, masses: Mapping[str, float] | None = None) -> str:
    """The text of a LAMMPS data file of atom style atomic, with masses and type labels of the species, sorted by name.

    names: of the species that atomic numbers stand for, where they are no elements, as in reduced units; the file has
    a type for each of them. masses: of the species by name; default: of the elements (g/mol).

    ASE's own writer has no type labels, and may take types from an array of a file that was read earlier. The cell is
    rotated to LAMMPS's orientation, and the atoms with it.
    """
    from ase.calculators.lammps import Prism

    prism = Prism(atoms.cell.array, pbc=True)
    xx, yy, zz, xy, xz, yz = prism.get_lammps_prism()
    places = prism.vector_to_lammps(atoms.positions, wrap=True)
    here = set(atoms.numbers.tolist())
    called = {number: chemical_symbols[number] for number in here} if names is None else names
    kinds = sorted(called, key=lambda number: called[number])
    weights = {n: float(atomic_masses[n]) if masses is None else masses[called[n]] for n in kinds}
    types = {number: kind for kind, number in enumerate(kinds, 1)}
    lines = [
        f"{len(atoms)} atoms, made by vitrify",
        "",
        f"{len(atoms)} atoms",
        f"{len(kinds)} atom types",
        f"0 {float(xx)!r} xlo xhi",
        f"0 {float(yy)!r} ylo yhi",
        f"0 {float(zz)!r} zlo zhi",
    ]
    if any(abs(tilt) > 1e-12 for tilt in (xy, xz, yz)):
        lines.append(f"{float(xy)!r} {float(xz)!r} {float(yz)!r} xy xz yz")
    lines += ["", "Atom Type Labels", "", *(f"{types[n]} {called[n]}" for n in kinds)]
    lines += ["", "Masses", "", *(f"{types[n]} {weights[n]:.10g}" for n in kinds)]
    rows = np.column_stack([np.arange(1, len(atoms) + 1), [types[n] for n in atoms.numbers]])
    lines += ["", "Atoms # atomic", ""]
    lines += [f"{i} {t} {x:.8f} {y:.8f} {z:.8f}" for (i, t), (x, y, z) in zip(rows, places, strict=True)]
    return "\n".join(lines) + "\n"
