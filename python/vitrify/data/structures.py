"""Structures at rest with a label for each atom, such as its energy barrier, from files of common formats."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitrify.core.errors import VitrifyError, VitrifyWarning, did_you_mean
from vitrify.data.readers.checked import check_frame
from vitrify.data.readers.companion import labels_beside
from vitrify.data.readers.formats import files_of, plain_name
from vitrify.data.readers.frame import RawFrame, Wanted
from vitrify.data.readers.notes import Notes
from vitrify.data.readers.read import numbered_frames


@dataclass(frozen=True)
class LabelledStructure:
    """A periodic structure: positions (N, 3) and cell (3, 3) rows in the unit of the file, types (N,) from 0.

    labels: (N,) in their unit, NaN where an atom has none. name: of the file, with the number of the frame if it has
    several.
    """

    name: str
    positions: np.ndarray
    cell: np.ndarray
    types: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.types)

    @property
    def labelled(self) -> np.ndarray:
        """True (N,) for atoms that have a label."""
        known: np.ndarray = ~np.isnan(self.labels)
        return known

    @property
    def number_density(self) -> float:
        """Atoms per volume."""
        return len(self) / abs(float(np.linalg.det(self.cell)))


def load_structures(
    paths: str | Path | Sequence[str | Path],
    species: Sequence[str],
    label: str | None = None,
    *,
    label_species: str | Sequence[str] | None = None,
    allow_missing: bool = False,
    units: str | None = None,
    atom_style: str | None = None,
) -> list[LabelledStructure]:
    """All structures of some files, every frame of each, in the order given.

    docs/files.md has the formats. Labels are an array of an npz or label file, or a column of extended XYZ or of a dump
    with the name `label`, or glass.LABEL.csv (id,value) beside glass.data and what ASE reads (POSCAR, CIF).

    Args:
        paths: files, patterns such as run*.dump, or folders.
        species: names in the order of the types; they need not be elements where the file has type ids.
        label: name of the label; None reads structures alone, with NaN for labels.
        label_species: species whose labels count; those of other atoms become NaN. Default: all.
        allow_missing: whether labels may be NaN; in label files they always may.
        units: "metal" or "lj", that files must have if they say their units.
        atom_style: of LAMMPS data files whose section Atoms does not name its own.

    Raises:
        VitrifyError: a file that is missing, damaged, a pickle or of unknown format; an unknown species or type id;
            a label that is missing, of another length, infinite, or NaN; positions or cells that are no numbers.
    """
    files = files_of(paths)
    if not files:
        raise VitrifyError("no files with structures were given: give at least one")
    if len(set(species)) != len(species) or not species:
        raise VitrifyError(f"the species {list(species)} are empty or repeat: name each type once")
    counted = _label_types(species, label_species)
    wanted = Wanted(tuple(species), () if label is None else (label,), atom_style)
    found, notes = [], Notes()
    for path, stem in zip(files, short_names(files), strict=True):
        for where, number, frame in numbered_frames(path, wanted):
            notes.add(path, frame)
            name = stem if number is None else f"{stem}:{number}"
            positions, cell, types = check_frame(frame, where, species, units)
            labels = np.full(len(positions), np.nan)
            if label is not None:
                labels, counts = _labels(path, frame, len(types), where, label), np.isin(types, counted)
                names = ", ".join(species[t] for t in counted)
                _check_missing(labels[counts], where, label, names, allow_missing or frame.partial)
                labels[~counts] = np.nan
            found.append(LabelledStructure(name, positions, cell, types, labels))
    notes.say()
    return found


def load_last_structure(
    path: str | Path, species: Sequence[str], *, units: str | None = None, atom_style: str | None = None
) -> LabelledStructure:
    """The last structure of one file, without labels; a warning says so if there are others.

    Raises VitrifyError as `load_structures`, and for several files.
    """
    files = files_of(path)
    if len(files) != 1:
        raise VitrifyError(f"{path} are {len(files)} files, but one structure is wanted: give one of {files[0]} ...")
    found = load_structures(files, species, units=units, atom_style=atom_style)
    if len(found) > 1:
        warnings.warn(f"{files[0]} has {len(found)} structures: the last one is used", VitrifyWarning, stacklevel=2)
    return found[-1]


def short_names(files: Sequence[Path]) -> list[str]:
    """Short, different names of files: without their suffix, or whole paths where that would repeat."""
    plain = [Path(plain_name(path)) for path in files]
    stems = [path.stem if path.stem not in ("data", "dump") else path.name for path in plain]
    return [str(path) if stems.count(stem) > 1 else stem for path, stem in zip(files, stems, strict=True)]


def _label_types(species: Sequence[str], label_species: str | Sequence[str] | None) -> list[int]:
    """The types whose labels count."""
    if label_species is None:
        return list(range(len(species)))
    names = [label_species] if isinstance(label_species, str) else list(label_species)
    for name in names:
        if name not in species:
            raise VitrifyError(
                f"label_species {name!r} is none of the species {', '.join(species)}{did_you_mean(name, species)}"
            )
    if not names:
        raise VitrifyError("label_species is empty: name the species whose labels count, or leave it out")
    return [species.index(name) for name in names]


def _labels(path: Path, frame: RawFrame, n: int, where: str, label: str) -> np.ndarray:
    """The labels (N,) as float64: real numbers or NaN."""
    found = frame.columns.get(label)
    if found is None and not frame.has_columns:
        found = labels_beside(path, label, frame.columns.get("id", np.arange(1, n + 1)))
    if found is None:
        known = f"only {', '.join(frame.known)}" if frame.known else "nor any other"
        raise VitrifyError(
            f"{where} has no label {label!r}{did_you_mean(label, frame.known)}, {known}: name the column of the labels"
        )
    values = np.asarray(found)
    if values.shape != (n,):
        raise VitrifyError(
            f"{where}: the label {label!r} has the shape {values.shape}: give one number for each of the {n} atoms"
        )
    if values.dtype.kind not in "fiu":
        raise VitrifyError(f"{where}: the label {label!r} is {values.dtype}: give one number for each atom")
    labels = values.astype(np.float64)  # a copy, which callers may change
    if np.isinf(labels).any():
        raise VitrifyError(
            f"{where}: the label {label!r} of {int(np.isinf(labels).sum())} atoms is infinite: "
            "give finite numbers, and nan where there is no label"
        )
    return labels


def _check_missing(labels: np.ndarray, where: str, label: str, names: str, allow_missing: bool) -> None:
    missing = int(np.isnan(labels).sum())
    if missing == len(labels):
        raise VitrifyError(f"{where}: no atom of {names} has a label {label!r}: give labels of this species")
    if missing and not allow_missing:
        raise VitrifyError(
            f"{where}: the label {label!r} of {missing} of {len(labels)} atoms of {names} is NaN: name the species "
            "that have labels (label_species), or allow atoms without one (allow_missing)"
        )
