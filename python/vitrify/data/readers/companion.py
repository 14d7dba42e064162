"""Labels in a text file beside a file with atoms, for formats that hold no values of atoms."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.readers.formats import plain_name
from vitrify.data.readers.source import Lines, excerpt, require_file

_SUFFIXES = (".data", ".lmp", ".lammps", ".lmpdat", ".cif", ".vasp", ".poscar")


def labels_file(path: Path, label: str) -> Path:
    """Where the labels of a file are: glass.LABEL.csv beside glass.data, POSCAR.LABEL.csv beside POSCAR."""
    name = plain_name(path)
    name = next((name.removesuffix(end) for end in _SUFFIXES if name.endswith(end)), name)
    return path.with_name(f"{name}.{label}.csv")


def labels_beside(path: Path, label: str, ids: np.ndarray) -> np.ndarray:
    """The labels of the atoms `ids` (N,), in their order, from one line "id,value" for each, with or without a header.

    Raises VitrifyError for a file that is missing or has other atoms.
    """
    beside = labels_file(path, label)
    if not os.path.isfile(beside):
        raise VitrifyError(
            f"{path} has no labels, as files of this format, and there is no {beside} beside it: write one line for "
            "each atom there, id,value"
        )
    found: dict[int, float] = {}
    with Lines(require_file(beside, "labels, id,value")) as lines:
        while (line := lines.next()) is not None:
            columns = line.replace(",", " ").split()
            if not columns:
                continue
            try:
                atom, value = int(columns[0]), float(columns[1])
            except (ValueError, IndexError):
                if lines.number == 1:  # a header
                    continue
                raise lines.error(f"found {excerpt(line)}: give id,value") from None
            if atom in found:
                raise lines.error(f"the atom {atom} is there twice: give one value for each")
            found[atom] = value
    if len(found) != len(ids) or not all(int(atom) in found for atom in ids):
        raise VitrifyError(
            f"{beside} has values for {len(found)} atoms, {path.name} has {len(ids)} atoms: "
            "give one line for each id (the value nan where there is none)"
        )
    return np.array([found[int(atom)] for atom in ids])
