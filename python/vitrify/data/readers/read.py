"""The one entrance for files with structures: finds the reader of a file by its content and its name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from vitrify.core.errors import VitrifyError, one_line
from vitrify.data.readers import formats
from vitrify.data.readers.frame import RawFrame, Reader, Wanted
from vitrify.data.readers.source import first_bytes, is_packed, require_file
from vitrify.kinds import load

_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib")
_BINARY = {b"\x89HDF\r\n\x1a\n": formats.HDF5, b"ITEM: ": formats.DUMP}  # whose content is beyond doubt


def read_frames(path: str | Path, wanted: Wanted) -> Iterator[RawFrame]:
    """All structures of a file, one after the other.

    Raises VitrifyError for a file that is missing, damaged, a pickle, or of an unknown format; the message names the
    file, and the line where there is one.
    """
    found = require_file(path, f"a file with structures: {formats.FORMATS}")
    start = first_bytes(found)
    # 0x80 opens every pickle of protocol 2 and later, under whatever name.
    if start[:1] == b"\x80" or found.suffix.lower() in _PICKLES:
        raise VitrifyError(
            f"{found} is a pickle, which could run any program, and a pickle is refused: "
            "store plain arrays with numpy.savez (positions, box or cell, types, and the label)"
        )
    name = _format_of(found, start)
    if name in (formats.NPZ, formats.HDF5) and is_packed(found):
        raise VitrifyError(f"{found} is packed twice: unpack it")
    reader: Reader = load(f"vitrify.data.readers.{name}")
    try:
        yield from reader(found, wanted)
    except VitrifyError:
        raise
    # A last net: a file can be damaged in ways that no reader thought of.
    except Exception as error:
        told = f"{type(error).__name__}: {one_line(str(error)):.120}"
        raise VitrifyError(f"{found} is damaged, or in another format than it seems ({told}): write it again") from None


def numbered_frames(path: Path, wanted: Wanted) -> Iterator[tuple[str, int | None, RawFrame]]:
    """The frames of a file: where each is, for messages; its number from 0, or None for the only one; and the frame.

    Raises VitrifyError as `read_frames`, and for a file without frames.
    """
    frames = read_frames(path, wanted)
    first, second = next(frames, None), next(frames, None)
    if first is None:
        raise VitrifyError(f"{path} holds no structure: give a file with at least one frame")
    if second is None:
        yield str(path), None, first
        return
    for number, frame in enumerate(chain((first, second), frames)):
        yield f"{path}, frame {number + 1}", number, frame


def _format_of(path: Path, start: bytes) -> str:
    """The reader for the content of a file where that is beyond doubt, else for its name, else for its looks."""
    found = next((name for magic, name in _BINARY.items() if start.startswith(magic)), None)
    found = found or formats.format_by_name(path)
    if found is not None:
        return found
    lines = start.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    if len(lines) > 1 and lines[0].strip().isdigit() and ("Properties=" in lines[1] or "Lattice=" in lines[1]):
        return formats.EXTXYZ
    if any(line.partition("#")[0].split()[-2:] == ["xlo", "xhi"] for line in lines):
        return formats.DATA
    return formats.ASE
