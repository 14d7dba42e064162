"""What a command says once about the files that it has read: what it left aside, and how it understood them."""

from __future__ import annotations

import warnings
from pathlib import Path

from vitrify.core.errors import VitrifyWarning
from vitrify.data.readers.frame import RawFrame

_OF_FRAMES = ("timestep", "time", "sample")  # which number frames, and are no data


class Notes:
    """Collects notes on frames, and says each of them once, whatever the number of files."""

    def __init__(self) -> None:
        self._unused: dict[str, list[Path]] = {}
        self._remarks: dict[str, list[Path]] = {}

    def add(self, path: Path, frame: RawFrame, used: tuple[str, ...] = (), columns: bool = False) -> None:
        """Notes of a frame. used: names of values that the caller reads. columns: it may leave some that were read."""
        unread = [f"the column {name}" for name in frame.columns if columns and name not in (*used, "id")]
        left = [
            *frame.unused,
            *unread,
            *(f"the value {name}" for name in frame.info if name not in (*used, *_OF_FRAMES)),
        ]
        for collected, texts in ((self._unused, left), (self._remarks, frame.remarks)):
            for text in texts:
                files = collected.setdefault(text, [])
                if path not in files:
                    files.append(path)

    def say(self) -> None:
        """Warns once of what was not used, and once for each remark."""
        groups: dict[tuple[Path, ...], list[str]] = {}
        for text, files in self._unused.items():
            groups.setdefault(tuple(files), []).append(text)
        for places, texts in groups.items():
            warnings.warn(f"{_named(list(places))}: not used: {_shortened(texts)}", VitrifyWarning, stacklevel=3)
        for text, files in self._remarks.items():
            warnings.warn(f"{_named(files)}: {text}", VitrifyWarning, stacklevel=3)


def _named(files: list[Path]) -> str:
    others = len(files) - 1
    return str(files[0]) if not others else f"{files[0]} and {others} other {'file' if others == 1 else 'files'}"


def _shortened(texts: list[str], most: int = 12) -> str:
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
