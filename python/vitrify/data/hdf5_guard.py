"""What stands between an HDF5 file of a user and what reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from vitrify.core.errors import VitrifyError
from vitrify.data.readers.source import HARMLESS, MAX_GROWTH


@contextmanager
def reading(path: Path, remedy: str = "copy it or make it anew") -> Iterator[None]:
    """Turns whatever HDF5 and numpy raise for a damaged file into one line."""
    try:
        yield
    except VitrifyError:
        raise
    # A damaged file makes h5py raise OSError, RuntimeError, KeyError, ValueError, MemoryError and more.
    except Exception as error:
        told = " ".join(str(error).split())[:120] or type(error).__name__
        raise VitrifyError(f"{path} is damaged, or holds something else than it should ({told}): {remedy}") from None


def open_hdf5(path: Path, what: str, remedy: str) -> h5py.File:
    """An HDF5 file, open for reading. what: it is, for messages. VitrifyError if it is missing or no HDF5."""
    if not os.path.isfile(path):
        raise VitrifyError(f"{what} {path} does not exist: {remedy}")
    with reading(path, f"copy it, or {remedy}"):
        try:
            return h5py.File(path, "r")
        except OSError as error:
            raise VitrifyError(f"{path} is not a readable HDF5 file ({error}): copy or make it anew") from None


def checked_dataset(path: Path, group: Any, name: str) -> Any:
    """The dataset `name` of a group; VitrifyError if it is not there, or larger than its file can hold.

    HDF5 stores nothing of a part that was never written, so that a small file can claim any size.
    """
    found = group.get(name)
    if not isinstance(found, h5py.Dataset):
        raise VitrifyError(f"{path} has no dataset {group.name.rstrip('/')}/{name}: copy it or make it anew")
    size, stored = found.size * found.dtype.itemsize if found.shape is not None else 0, path.stat().st_size
    if size > max(HARMLESS, MAX_GROWTH * stored):
        raise VitrifyError(
            f"{path}: {found.name} has the shape {found.shape}, {size / 1e9:.3g} GB, but the file has {stored} bytes: "
            "write it again"
        )
    return found
