"""Structures at rest with a label for each atom, such as its energy barrier, from files of common formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.core.validation import check_cell, check_vectors
from vitrify.data.structure_files import Frame, read_frames


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
) -> list[LabelledStructure]:
    """All structures of some files, every frame of each, in the order given.

    npz: positions (N, 3), box (3,) or cell (3, 3), types (N,) (ids from 1 in the order of `species`, or names), and an
    array with the name of the label. Extended XYZ and LAMMPS text dumps: a column with this name. LAMMPS data files:
    glass.data, with glass.LABEL.csv beside it (id,value). Label files (.h5, `vitrify.data.label_files`): an array of
    /labels.

    Args:
        paths: one file, or several.
        species: names in the order of the types; they need not be elements where the file has type ids.
        label: name of the label; None reads structures alone, with NaN for labels.
        label_species: species whose labels count; those of other atoms become NaN. Default: all.
        allow_missing: whether labels may be NaN; in label files they always may.

    Raises:
        VitrifyError: a file that is missing, damaged, a pickle or of unknown format; an unknown species or type id;
            a label that is missing, of another length, infinite, or NaN; positions or cells that are no numbers.
    """
    files = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not files:
        raise VitrifyError("no files with structures were given: give at least one")
    if len(set(species)) != len(species) or not species:
        raise VitrifyError(f"the species {list(species)} are empty or repeat: name each type once")
    counted = _label_types(species, label_species)
    found = []
    for path, stem in zip(files, _names(files), strict=True):
        frames = list(read_frames(path, label, species))
        if not frames:
            raise VitrifyError(f"{path} holds no structure: give a file with at least one frame")
        for number, frame in enumerate(frames):
            name = stem if len(frames) == 1 else f"{stem}:{number}"
            where = str(path) if len(frames) == 1 else f"{path}, frame {number}"
            found.append(_structure(frame, name, where, species, label, counted, allow_missing))
    return found


def _names(files: Sequence[Path]) -> list[str]:
    """Short, different names of files: without their suffix, or whole paths where that would repeat."""
    stems = [path.stem if path.stem not in ("data", "dump") else path.name for path in files]
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


def _structure(
    frame: Frame,
    name: str,
    where: str,
    species: Sequence[str],
    label: str | None,
    counted: list[int],
    allow_missing: bool,
) -> LabelledStructure:
    try:
        positions = check_vectors("positions", frame.positions)
        cell = check_cell(frame.cell)
    except (VitrifyError, TypeError, ValueError) as error:
        raise VitrifyError(f"{where}: {error}") from None
    if len(positions) == 0:
        raise VitrifyError(f"{where} has no atoms: give a structure")
    types = _types(frame.kinds, len(positions), where, species)
    labels = np.full(len(positions), np.nan)
    if label is not None:
        labels = _labels(frame, len(positions), where, label)
        labels[~np.isin(types, counted)] = np.nan
        names = ", ".join(species[t] for t in counted)
        _check_missing(labels[np.isin(types, counted)], where, label, names, allow_missing or frame.partial)
    return LabelledStructure(name, positions, cell, types, labels)


def _types(kinds: np.ndarray, n: int, where: str, species: Sequence[str]) -> np.ndarray:
    """Types (N,) from 0 for type ids from 1, or for names."""
    kinds = np.asarray(kinds)
    if kinds.shape != (n,):
        raise VitrifyError(f"{where}: types have the shape {kinds.shape}: give one for each of the {n} atoms")
    if kinds.dtype.kind in "US":
        names = kinds.astype(str)
        unknown = sorted(set(names.tolist()) - set(species))
        if unknown:
            raise VitrifyError(
                f"{where} has atoms of {unknown[0]}, which is none of the species {', '.join(species)}"
                f"{did_you_mean(unknown[0], species)}: name all species of the file"
            )
        return np.array([species.index(name) for name in names.tolist()], dtype=np.int64)
    if kinds.dtype.kind not in "iu":
        raise VitrifyError(f"{where}: types are {kinds.dtype}: give integers from 1, or names of species")
    low, high = int(kinds.min()), int(kinds.max())
    if low < 1 or high > len(species):
        raise VitrifyError(
            f"{where} has the type {low if low < 1 else high}, but {len(species)} species are named "
            f"({', '.join(species)}): types count from 1 in the order of the species"
        )
    return kinds.astype(np.int64) - 1


def _labels(frame: Frame, n: int, where: str, label: str) -> np.ndarray:
    """The labels (N,) as float64: real numbers or NaN."""
    if frame.label is None:
        known = f"only {', '.join(frame.known)}" if frame.known else "nor any other"
        raise VitrifyError(
            f"{where} has no label {label!r}{did_you_mean(label, frame.known)}, {known}: name the column of the labels"
        )
    values = np.asarray(frame.label)
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
