"""What stands between a file of a user and its reader: paths, compression, encodings, and lines with their numbers."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

from vitrify.core.errors import VitrifyError, shown

# A packed file of text grows by 3 to 20 times, and by a thousand times if it was made to fill the memory.
MAX_GROWTH, HARMLESS = 100, 1 << 24  # bytes
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open}
T = TypeVar("T")
_PACKED = {b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf": "7z"}
_OTHER_TEXT = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def require_file(path: str | Path, what: str = "a file with structures") -> Path:
    """The path of an ordinary file that holds something, with ~ replaced; `what` says what is wanted.

    Raises VitrifyError for what is missing, a folder, a pipe, empty or unreadable.
    """
    given = Path(path)
    try:
        found = given.expanduser()
        status = os.stat(found)
    except (FileNotFoundError, NotADirectoryError):
        raise VitrifyError(f"there is no file {given}: give {what}") from None
    # A circle of links, a name that is too long, a folder that may not be entered; "\0" in a name is a ValueError.
    except (OSError, ValueError, RuntimeError) as error:
        raise VitrifyError(f"{given} cannot be read ({_reason(error)}): give {what}") from None
    if stat.S_ISDIR(status.st_mode):
        raise VitrifyError(f"{given} is a folder: give the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise VitrifyError(f"{given} is no ordinary file (a pipe or a device): store its content in a file")
    if status.st_size == 0:
        raise VitrifyError(f"{given} is empty: it holds no structure, write it again")
    if not os.access(found, os.R_OK):
        raise VitrifyError(f"{given} cannot be read (Permission denied): give {what}")
    return found


def _reason(error: BaseException) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def first_bytes(path: Path, count: int = 4096) -> bytes:
    """The first bytes of a file, unpacked if it is compressed, whatever its name."""
    with _opened(path) as stream:
        return _guarded(path, lambda: stream.read(count))


def is_packed(path: Path) -> bool:
    """Whether the file is compressed by gzip or bzip2."""
    with path.open("rb") as file:
        start = file.read(4)
    return any(start.startswith(magic) for magic in _OPENERS)


def unpacked(path: Path) -> bytes:
    """The whole content of a file, unpacked if it is compressed."""
    with _opened(path) as stream:
        return _guarded(path, stream.read)


def _opened(path: Path) -> io.BufferedReader:
    try:
        with path.open("rb") as file:
            start = file.read(6)
        for magic, name in _PACKED.items():
            if start.startswith(magic):
                raise VitrifyError(f"{path} is packed by {name}: unpack it, or pack it by gzip")
        for magic, opener in _OPENERS.items():
            if start.startswith(magic):
                return io.BufferedReader(_Unpacking(path, opener(path, "rb")), 1 << 20)
        return io.BufferedReader(io.FileIO(path), 1 << 20)
    except OSError as error:
        raise VitrifyError(f"{path} cannot be read ({_reason(error)})") from None


def _guarded(path: Path, read: Callable[[], T]) -> T:
    """The result of `read()`; what compression or the disk raises becomes one line."""
    try:
        return read()
    except (OSError, EOFError, zlib.error) as error:
        raise VitrifyError(f"{path} is cut off or damaged ({_reason(error)}): copy or write it again") from None
    except MemoryError:
        raise VitrifyError(f"{path} does not fit in the memory: split it into several files") from None


class _Unpacking(io.RawIOBase):
    """The content of a compressed file, with an error if it grows beyond what text can."""

    def __init__(self, path: Path, stream: Any) -> None:
        self._path, self._stream, self._count = path, stream, 0
        self._limit = max(HARMLESS, MAX_GROWTH * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._stream.read(len(buffer))
        self._count += len(part)
        if self._count > self._limit:
            raise VitrifyError(
                f"{self._path} unpacks to more than {MAX_GROWTH} times its size, as no file with atoms does: unpack it "
                "yourself if it is right"
            )
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._stream.close()
        super().close()


class Lines:
    """The lines of a text file, one after the other, unpacked if it is compressed; `number`: of the last one, from 1.

    Text is UTF-8, with or without its mark at the start; other bytes, as in a title in Latin-1, are shown escaped.
    Raises VitrifyError for UTF-16 and for what is no text.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, 0
        self._kept: list[str] = []
        raw = _opened(path)
        start = _guarded(path, lambda: raw.peek(4096))[:4096]
        other = next((name for mark, name in _OTHER_TEXT.items() if start.startswith(mark)), None)
        if other or b"\0" in start:
            raw.close()
            known = f"it is {other}: save it as UTF-8" if other else "it is binary: write it as text"
            raise VitrifyError(f"{path} is no text that can be read here, {known}")
        self._file = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="backslashreplace")

    def next(self) -> str | None:
        """The next line with its end, or None after the last one."""
        found = self.take(1)
        return found[0] if found else None

    def next_content(self) -> str | None:
        """The next line that is not blank, without blanks around it, or None."""
        while (line := self.next()) is not None:
            if not line.isspace():
                return line.strip()
        return None

    def take(self, count: int) -> list[str]:
        """The next `count` lines, fewer at the end of the file, whatever the count."""
        if self._kept:
            found, self._kept = self._kept, []
            found += self.take(count - 1) if count > 1 else []
            self.number += 1
            return found
        limit = max(0, min(count, sys.maxsize))
        found = _guarded(self.path, lambda: list(islice(self._file, limit)))
        self.number += len(found)
        return found

    def give_back(self, line: str) -> None:
        """Makes the last line the next one again."""
        self._kept = [line]
        self.number -= 1

    def error(self, message: str, number: int | None = None) -> VitrifyError:
        """An error that names the file and a line, by default the last one."""
        return VitrifyError(f"{self.path}, line {self.number if number is None else number}: {message}")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def excerpt(text: str) -> str:
    """Text of a file for a message: quoted, in one line, without blanks at its ends, and not too long."""
    return shown(text.strip(), 48)
