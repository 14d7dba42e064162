"""HDF5 files of saddle searches in a glass, and of the labels that follow from them.

The root attribute `vitrify` is a JSON text with the settings of the searches. For N atoms, n searches, and M moved
atoms in all searches:

    /structure          positions (N,3), cell (3,3) with vectors as rows, types (N,) from 1; attribute species: names
    /searches           one entry for each search, sorted by atom and number
        atom            (n,) id of the atom where the search started, from 1
        number          (n,) number of the search of this atom, from 0
        outcome         (n,) text: "accepted", or the reason of the rejection
        barrier, energy_change              (n,) energies of the saddle and of the new minimum above the start
        curvature                           (n,) lowest eigenvalue at the saddle
        saddle_distance, minimum_distance   (n,) lengths of the displacements of all atoms from the start
        participation_ratio                 (n,) of the displacement to the new minimum
        force_calls, seconds                (n,) cost of the search
        first           (n+1,) the moved atoms of search i are first[i] to first[i+1] - 1 of /moved
    /moved              atom (M,) ids from 1; saddle, minimum (M,3) displacements from the start
    /labels             one number for each atom
        barrier         (N,) mean over the accepted searches of an atom; NaN where there is none
        barrier_std     (N,) standard deviation over them (n - 1); NaN where there are fewer than two
        barrier_minimum (N,) the lowest of them; NaN where there is none
        searches, accepted                  (N,) numbers of searches and of accepted ones

Energies, lengths and their quotients are in the units that the settings name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.hdf5_guard import checked_dataset, open_hdf5, reading
from vitrify.data.hdf5_writer import new_hdf5

ACCEPTED = "accepted"
NUMBERS = {
    "number": np.int64, "barrier": np.float64, "energy_change": np.float64, "curvature": np.float64,
    "saddle_distance": np.float64, "minimum_distance": np.float64, "participation_ratio": np.float64,
    "force_calls": np.int64, "seconds": np.float64,
}  # fmt: skip
_BLOCK = 2000  # searches that are in memory at a time


@dataclass(frozen=True)
class Search:
    """One search for a saddle, in the units of its file; numbers that a search did not reach are NaN.

    atom: index of the atom where it started, from 0. number: of the search of this atom, from 0. outcome: "accepted",
    or the reason of the rejection. barrier, energy_change: energies of the saddle and of the new minimum above the
    start. curvature: lowest eigenvalue at the saddle, energy / length^2. saddle_distance, minimum_distance: lengths of
    the displacements of all atoms from the start. participation_ratio: of the displacement to the new minimum,
    dimensionless. force_calls: number. seconds: wall time. moved: (k,), indices of the atoms that moved noticeably.
    saddle, minimum: (k, 3), their displacements from the start.
    """

    atom: int
    number: int
    outcome: str
    barrier: float
    energy_change: float
    curvature: float
    saddle_distance: float
    minimum_distance: float
    participation_ratio: float
    force_calls: int
    seconds: float
    moved: np.ndarray
    saddle: np.ndarray
    minimum: np.ndarray

    @property
    def key(self) -> tuple[int, int]:
        """(atom, number), which identify a search within its campaign."""
        return self.atom, self.number


@dataclass(frozen=True)
class Structure:
    """The glass: positions (N, 3), cell (3, 3) rows, types (N,) from 0, and the names of the types."""

    positions: np.ndarray
    cell: np.ndarray
    types: np.ndarray
    species: tuple[str, ...]


class LabelFile:
    """A label file, read only. header: the settings of the searches.

    Raises:
        VitrifyError: no such file, not HDF5 or damaged, or HDF5 with another content.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = open_hdf5(self.path, "label file", "`vitrify artn` makes one")
        try:
            with reading(self.path):
                self.header = self._header()
        except BaseException:
            self._file.close()
            raise

    def _header(self) -> dict[str, Any]:
        missing = [name for name in ("structure", "searches", "moved", "labels") if name not in self._file]
        text = self._file.attrs.get("vitrify")
        if missing or text is None:
            what = f"group /{missing[0]}" if missing else "attribute 'vitrify'"
            raise VitrifyError(
                f"{self.path} is HDF5, but not a label file (it has no {what}): `vitrify artn` makes one"
            )
        try:
            header = json.loads(str(text))
        except (ValueError, RecursionError) as error:
            raise VitrifyError(f"{self.path} has settings that are no JSON ({error}): make it anew") from None
        if not isinstance(header, dict):
            raise VitrifyError(f"{self.path} has settings without names: make it anew")
        return header

    def __len__(self) -> int:
        with reading(self.path):
            return len(checked_dataset(self.path, self._file["searches"], "atom"))

    @property
    def structure(self) -> Structure:
        """The structure that was searched."""
        with reading(self.path):
            group = self._file["structure"]
            species = tuple(str(name) for name in group.attrs["species"])
            positions, cell, types = (self._array(group, name) for name in ("positions", "cell", "types"))
            types = types.astype(np.int64) - 1
            if positions.shape != (len(types), 3) or cell.shape != (3, 3):
                raise VitrifyError(f"{self.path} has {len(types)} types for positions {positions.shape}: make it anew")
            if len(types) and not (types.min() >= 0 and types.max() < len(species)):
                raise VitrifyError(f"{self.path} has types beyond its species {', '.join(species)}: make it anew")
            return Structure(positions, cell, types, species)

    def _array(self, group: h5py.Group, name: str) -> np.ndarray:
        found: np.ndarray = checked_dataset(self.path, group, name)[()]
        return found

    @property
    def keys(self) -> set[tuple[int, int]]:
        """(atom, number) of every search."""
        with reading(self.path):
            atoms, numbers = (self._array(self._file["searches"], name) for name in ("atom", "number"))
            return set(zip((atoms - 1).tolist(), numbers.tolist(), strict=True))

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels."""
        return tuple(self._file["labels"])

    def labels(self) -> dict[str, np.ndarray]:
        """Every label (N,); NaN where an atom has none."""
        with reading(self.path):
            return {name: self._array(self._file["labels"], name) for name in self._file["labels"]}

    def searches(self) -> list[Search]:
        """All searches, sorted by atom and number."""
        return list(self)

    def __iter__(self) -> Iterator[Search]:
        for start in range(0, len(self), _BLOCK):
            with reading(self.path):
                found = list(self._block(slice(start, min(start + _BLOCK, len(self)))))
            yield from found

    def _block(self, part: slice) -> Iterator[Search]:
        group, moved = self._file["searches"], self._file["moved"]
        columns = {name: group[name][part].tolist() for name in NUMBERS}
        atoms, outcomes = group["atom"][part].tolist(), group["outcome"].asstr()[part]
        first = group["first"][part.start : part.stop + 1]
        span = slice(first[0], first[-1])
        ids, saddle, minimum = (moved[name][span] for name in ("atom", "saddle", "minimum"))
        for i, (low, high) in enumerate(zip(first[:-1] - first[0], first[1:] - first[0], strict=True)):
            yield Search(
                atom=atoms[i] - 1,
                outcome=str(outcomes[i]),
                moved=ids[low:high].astype(np.int64) - 1,
                saddle=saddle[low:high],
                minimum=minimum[low:high],
                **{name: values[i] for name, values in columns.items()},
            )

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_label_file(path: Path, header: dict[str, Any], structure: Structure, searches: Iterable[Search]) -> None:
    """Writes `searches`, which must be sorted by atom and number, and the labels that follow from them.

    The numbers of all searches are held in memory, but the moved atoms of only a few searches at a time.
    """
    with new_hdf5(path) as file:
        file.attrs["vitrify"] = json.dumps(header)
        group = file.create_group("structure")
        group["positions"] = np.asarray(structure.positions, np.float64)
        group["cell"] = np.asarray(structure.cell, np.float64)
        group["types"] = np.asarray(structure.types, np.int64) + 1
        group.attrs["species"] = list(structure.species)
        columns = _write_searches(file, iter(searches))
        accepted = np.array([outcome == ACCEPTED for outcome in columns["outcome"]], bool)
        atoms, barriers = np.array(columns["atom"], np.int64), np.array(columns["barrier"], np.float64)
        for name, values in _labels(len(structure.types), atoms, accepted, barriers).items():
            file[f"labels/{name}"] = values


def _write_searches(file: h5py.File, searches: Iterator[Search]) -> dict[str, list[Any]]:
    """Writes /searches and /moved; returns the columns of /searches by name, with atoms from 0."""
    columns: dict[str, list[Any]] = {name: [] for name in ("atom", "outcome", *NUMBERS)}
    first = [0]
    rows = {
        "atom": file.create_dataset("moved/atom", (0,), np.int64, maxshape=(None,), chunks=(4096,)),
        "saddle": file.create_dataset("moved/saddle", (0, 3), np.float64, maxshape=(None, 3), chunks=(4096, 3)),
        "minimum": file.create_dataset("moved/minimum", (0, 3), np.float64, maxshape=(None, 3), chunks=(4096, 3)),
    }
    while block := list(islice(searches, _BLOCK)):
        for search in block:
            first.append(first[-1] + len(search.moved))
            for name, values in columns.items():
                values.append(getattr(search, name))
        parts = {
            "atom": [search.moved + 1 for search in block],
            "saddle": [search.saddle for search in block],
            "minimum": [search.minimum for search in block],
        }
        for name, dataset in rows.items():
            start = len(dataset)
            dataset.resize(first[-1], axis=0)
            dataset[start:] = np.concatenate(parts[name])
    group = file.create_group("searches")
    group["atom"] = np.array(columns["atom"], np.int64) + 1
    group.create_dataset("outcome", data=np.array(columns["outcome"], object), dtype=h5py.string_dtype())
    for name, kind in NUMBERS.items():
        group[name] = np.array(columns[name], kind)
    group["first"] = np.array(first, np.int64)
    return columns


def _labels(n: int, atoms: np.ndarray, accepted: np.ndarray, barriers: np.ndarray) -> dict[str, np.ndarray]:
    """The labels (n,) by name, from the atoms, the acceptance and the barriers of all searches."""
    mine, found = atoms[accepted], barriers[accepted]
    counts = np.bincount(mine, minlength=n)
    lowest = np.full(n, np.inf)
    np.minimum.at(lowest, mine, found)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(mine, found, n) / counts
        variance = np.bincount(mine, (found - mean[mine]) ** 2, n) / (counts - 1)
    return {
        "barrier": np.where(counts > 0, mean, np.nan),
        "barrier_std": np.sqrt(np.where(counts > 1, variance, np.nan)),
        "barrier_minimum": np.where(counts > 0, lowest, np.nan),
        "searches": np.bincount(atoms, minlength=n),
        "accepted": counts,
    }
