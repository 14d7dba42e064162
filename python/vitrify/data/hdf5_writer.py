"""New HDF5 files on disks that may be full.

HDF5 itself may crash where a file that is being closed cannot be written. So it writes to an object that never fails;
what the disk says is raised when the file is closed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """A new file to write to.

    Raises OSError: it cannot be made; or, at the end, written. Nothing is kept from the first error on.
    """
    with open(path, "w+b", buffering=0) as raw:
        patient = _Patient(raw)
        try:
            with h5py.File(patient, "w") as file:
                yield file
        finally:
            if patient.error is not None:
                raise patient.error


class _Patient(io.RawIOBase):
    """A file whose writing never fails: the first error is kept, and nothing is written any more."""

    def __init__(self, raw: io.FileIO) -> None:
        self.raw = raw
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.raw.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and (count := self.raw.readinto(view[done:])):
            done += count
        view[done:] = bytes(len(view) - done)  # what should have been written
        return len(view)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while self.error is None and done < len(view):
                done += self.raw.write(view[done:])
        except OSError as error:
            self.error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            if self.error is None:
                return self.raw.truncate(size)
        except OSError as error:
            self.error = error
        return size or 0
