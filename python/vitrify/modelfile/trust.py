"""The files whose TorchScript programs may be run: those that come with vitrify, and those on the user's list.

A TorchScript program may do anything while torch loads and runs it. Which files are trusted is a rule of C++, for
LAMMPS and Python alike; this module adds to the list.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError, one_line


def is_trusted(archive: Any) -> bool:
    """Whether the program of a file may be run; archive: as `vitrify.modelfile.archive.open_archive` returns it."""
    return bool(_core.is_trusted(archive.sha256))


def trusted_list() -> Path | None:
    """The user's list; None if there is no folder for it."""
    name = _core.trusted_list()
    return Path(name) if name else None


def remember(archive: Any) -> None:
    """Puts a file on the user's list; VitrifyError if the list cannot be written.

    A line is written at once, so that processes that write at the same time do not mix theirs.
    """
    if is_trusted(archive):
        return
    path = trusted_list()
    if path is None:
        raise VitrifyError("there is no folder for the list of trusted files: set HOME or XDG_CONFIG_HOME")
    name = one_line(os.path.basename(os.fsdecode(archive.path)))[:200]
    line = f"{archive.sha256} {name}\n".encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(number).st_size
            torn = size > 0 and os.pread(number, 1, size - 1) != b"\n"
            os.write(number, b"\n" + line if torn else line)
        finally:
            os.close(number)
    except OSError as error:
        raise VitrifyError(f"cannot write {path}: {error.strerror or error}") from None
    if not is_trusted(archive):
        raise VitrifyError(f"{path} does not count, as others may write it: make it yours (chmod 600 {path})")
