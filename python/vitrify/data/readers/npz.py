"""npz files of numpy with the arrays of one structure, read without pickles and within the size that they have."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.readers.frame import RawFrame, Wanted
from vitrify.data.readers.source import HARMLESS, MAX_GROWTH

_OWN = ("positions", "cell", "box", "types")


def read_npz(path: Path, wanted: Wanted) -> Iterator[RawFrame]:
    """The arrays positions (N, 3), box (3,) or cell (3, 3), types (N,) (ids from 1, or names), and labels (N,)."""
    with _Arrays(path) as arrays:
        cell = next((name for name in ("cell", "box") if name in arrays.names), "cell")
        labels = wanted.chosen(name for name in arrays.names if name not in _OWN)
        missing = [name for name in ("positions", cell, "types") if name not in arrays.names]
        if missing:
            what = "cell (or box)" if missing[0] == "cell" else missing[0]
            raise VitrifyError(
                f"{path} has no array {what}, only {', '.join(arrays.names)}: "
                "store positions (N, 3), box (3,) or cell (3, 3), and types (N,) counted from 1"
            )
        found = {name: arrays.read(name) for name in ("positions", cell, "types", *labels)}
        others = tuple(name for name in arrays.names if name not in _OWN)
    box = found[cell]
    if box.dtype.kind not in "fiu":
        raise VitrifyError(f"{path}: the array {cell} is {box.dtype}: store numbers")
    yield RawFrame(
        positions=found["positions"],
        cell=np.diag(box) if box.shape == (3,) else box,
        kinds=found["types"],
        columns={name: found[name] for name in labels},
        known=others,
        unused=tuple(f"the array {name}" for name in others if name not in labels),
    )


def load_arrays(path: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of an npz file by name, by default all; VitrifyError if it is damaged or holds a pickle."""
    with _Arrays(path) as arrays:
        return {name: arrays.read(name) for name in names or arrays.names}


class _Arrays:
    """The arrays of an npz file, whose sizes are compared with the file before memory is taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        # zipfile raises many kinds for damaged files.
        except Exception as error:
            raise self._damaged(error) from None
        self._entries = {
            entry.filename.removesuffix(".npy"): entry for entry in self._zip.infolist() if not entry.is_dir()
        }
        self.names = tuple(self._entries)

    def _damaged(self, error: object) -> VitrifyError:
        return VitrifyError(f"{self.path} is no npz file, or a damaged one ({error}): copy or write it again")

    def read(self, name: str) -> np.ndarray:
        """The array of this name."""
        entry = self._entries[name]
        size, stored = entry.file_size, self.path.stat().st_size
        if size > max(HARMLESS, MAX_GROWTH * stored):
            raise VitrifyError(
                f"{self.path}: the array {name} would take {size / 1e9:.3g} GB, but the file has {stored} bytes: "
                "write it again by numpy.savez"
            )
        try:
            with self._zip.open(entry) as stream:
                return self._array(name, stream, size)
        except VitrifyError:
            raise
        except Exception as error:
            raise self._damaged(error) from None

    def _array(self, name: str, stream: Any, size: int) -> np.ndarray:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise ValueError(f"the array {name} has the format {version}")
        shape, fortran, dtype = readers[version](stream)
        if dtype.hasobject:
            raise VitrifyError(
                f"{self.path} holds Python objects, which only a pickle stores, and a pickle is refused: "
                "store arrays of numbers or of fixed-width text"
            )
        count = 1
        for length in shape:
            count *= length
        if min(shape, default=1) < 0 or count * dtype.itemsize > size:
            raise ValueError(f"the array {name} claims the shape {shape}, which is more than it holds")
        values = np.frombuffer(stream.read(count * dtype.itemsize), dtype, count)
        found = values.reshape(shape, order="F" if fortran else "C").copy()
        stream.read()  # to its end, where the checksum is compared
        return found

    def __enter__(self) -> _Arrays:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
