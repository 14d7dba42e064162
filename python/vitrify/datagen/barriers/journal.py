"""The store of a campaign of saddle searches: a journal that survives a kill, and the label file made of it.

`vitrify.data.label_files` describes the file, and holds what reads it. The journal `<file>.part` is JSON lines: the
settings of the campaign, then a line for each finished search, which is on disk when `append` returns. Numbers are
written so that reading gives the same bits, NaN as null.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.core.files import append, atomic_path, own_content, writing
from vitrify.core.locks import claim_file
from vitrify.data.label_files import ACCEPTED, NUMBERS, LabelFile, Search, Structure, write_label_file

__all__ = ["ACCEPTED", "FREE", "LabelFile", "LabelWriter", "Search", "Structure"]

# Settings that say how much was asked for, and by what program, but change no search.
FREE = ("versions", "ids", "searches")


class LabelWriter:
    """Collects finished searches of one campaign in a journal and makes a label file of them.

    A clean exit of the context joins the journal, and what an earlier campaign left in `path`, into `path`; otherwise
    the journal stays, and the next writer goes on with it. The result does not depend on the order of the searches.

    header: the settings, as JSON has them. Those that `FREE` names, at the top level, may differ from what is found.
    positions (N,3), cell (3,3), types (N,) from 0 and species are the structure that is searched.
    inputs: files that `path` must not be.
    finished: (atom, number) of the searches that are already on disk; read it, do not change it.

    Raises:
        VitrifyError: `path` or its journal has other settings or another structure, is damaged, cannot be written, or
            another process writes it.
    """

    def __init__(
        self,
        path: str | Path,
        header: dict[str, Any],
        positions: np.ndarray,
        cell: np.ndarray,
        types: np.ndarray,
        species: tuple[str, ...],
        inputs: Sequence[str | Path] = (),
    ) -> None:
        self.path = Path(path)
        self.journal = self.path.with_name(self.path.name + ".part")
        self.structure = Structure(
            np.asarray(positions, np.float64), np.asarray(cell, np.float64), np.asarray(types), tuple(species)
        )
        self.header = json.loads(json.dumps({**header, "structure_sha256": structure_hash(self.structure)}))
        self.finished: set[tuple[int, int]] = set()  # (atom, number) of the searches that are on disk
        self._places: dict[tuple[int, int], int] = {}  # where in the journal each search begins
        with contextlib.ExitStack() as stack:
            stack.enter_context(claim_file(self.path, "vitrify artn", inputs))
            with writing(self.journal):
                self._file: BinaryIO = stack.enter_context(open(self.journal, "a+b"))
            try:
                self._take_over()
            except BaseException:
                if os.fstat(self._file.fileno()).st_size == 0:
                    self.journal.unlink(missing_ok=True)
                raise
            self._open = stack.pop_all()

    def append(self, search: Search) -> None:
        """Stores a finished search, which is on disk when this returns; one that is there already stays as it is."""
        self._check(search)
        if search.key in self.finished:
            return
        place = self._file.seek(0, os.SEEK_END)
        self._write(_to_json(search))
        self._places[search.key] = place
        self.finished.add(search.key)

    def close(self) -> None:
        """Joins everything into the label file and removes the journal."""
        if self._file.closed:
            return
        with self._open:
            self._publish()

    def _publish(self) -> None:
        if self._places or not self.path.exists():
            with atomic_path(self.path) as work:
                with contextlib.ExitStack() as stack:
                    old: Iterable[Search] = stack.enter_context(LabelFile(self.path)) if self.path.exists() else ()
                    write_label_file(work, self.header, self.structure, self._joined(old))
                with open(work, "rb") as file:
                    os.fsync(file.fileno())  # the journal goes next
        with writing(self.journal):
            self.journal.unlink()

    def abandon(self) -> None:
        """Closes the journal, and leaves it to the next writer."""
        if not self._file.closed:
            with self._open, contextlib.suppress(OSError):
                if not self._places:
                    self.journal.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()

    def _check(self, search: Search) -> None:
        n, k = len(self.structure.types), len(search.moved)
        if not 0 <= search.atom < n or search.number < 0:
            raise VitrifyError(f"search {search.number} of atom {search.atom}: atoms are 0 to {n - 1}, searches from 0")
        shapes = [np.shape(values) for values in (search.moved, search.saddle, search.minimum)]
        if shapes != [(k,), (k, 3), (k, 3)] or (k and not 0 <= np.min(search.moved) <= np.max(search.moved) < n):
            raise VitrifyError(f"search {search.key}: moved, saddle and minimum have the shapes {shapes}")
        if search.outcome == ACCEPTED and not np.isfinite(search.barrier):
            raise VitrifyError(f"search {search.key} is accepted, but its barrier is {search.barrier}")

    def _write(self, content: dict[str, Any]) -> None:
        line = (json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n").encode()
        append(self._file.fileno(), line, self.journal)

    def _take_over(self) -> None:
        """Reads the journal, drops a line that a kill has cut, and begins the journal if there is none."""
        if self.path.exists():
            with LabelFile(self.path) as file:
                self._require_same_settings(self.path, file.header)
                self.finished = file.keys
        end = place = self._file.seek(0)
        for number, line in enumerate(self._file, 1):
            content = _parsed(line)
            if content is None:
                if self._file.readline():
                    raise VitrifyError(f"{self.journal} is damaged in line {number}: remove that line, or the file")
                break
            if number == 1:
                self._require_same_settings(self.journal, content)
            else:
                with own_content(f"{self.journal}, line {number}", "a search in the journal of vitrify artn"):
                    key = _from_json(json.loads(line)).key
                if key not in self.finished:  # it may be, if a kill came between the file and the end of the journal
                    self._places[key] = place
                    self.finished.add(key)
            end = place = place + len(line)
        self._file.truncate(end)
        self._file.seek(end)
        if end == 0:
            self._write(self.header)

    def _require_same_settings(self, found: Path, header: dict[str, Any]) -> None:
        different = [name for name in _differences(header, self.header) if name.partition(".")[0] not in FREE]
        if different:
            raise VitrifyError(
                f"{found} was made with other settings ({', '.join(different)}): give the same settings to continue,"
                f" write to another file, or remove {self.path.name} and {self.journal.name}"
            )

    def _joined(self, old: Iterable[Search]) -> Iterator[Search]:
        return heapq.merge(old, self._journalled(), key=lambda search: search.key)

    def _journalled(self) -> Iterator[Search]:
        for _, place in sorted(self._places.items()):
            self._file.seek(place)
            yield _from_json(json.loads(self._file.readline()))


def structure_hash(structure: Structure) -> str:
    """A hash of positions, cell and species, which changes with their last bit."""
    digest = hashlib.sha256()
    for values, kind in ((structure.positions, "<f8"), (structure.cell, "<f8"), (structure.types, "<i8")):
        digest.update(np.ascontiguousarray(values, kind).tobytes())
    digest.update(json.dumps(structure.species).encode())
    return digest.hexdigest()


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The content of a line; None for one that a kill has cut."""
    if not line.endswith(b"\n"):
        return None
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _differences(a: dict[str, Any], b: dict[str, Any], prefix: str = "") -> list[str]:
    """The names of the settings that differ; nested ones as outer.inner."""
    found = []
    for key in sorted(a.keys() | b.keys()):
        one, other = a.get(key), b.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += _differences(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append("the structure" if key == "structure_sha256" else prefix + key)
    return found


def _to_json(search: Search) -> dict[str, Any]:
    content: dict[str, Any] = {"atom": int(search.atom), "outcome": search.outcome}
    for name, kind in NUMBERS.items():
        content[name] = int(getattr(search, name)) if kind is np.int64 else _plain(float(getattr(search, name)))
    content["moved"] = np.asarray(search.moved).tolist()
    for name in ("saddle", "minimum"):
        content[name] = [[_plain(x) for x in row] for row in np.asarray(getattr(search, name), np.float64).tolist()]
    return content


def _plain(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if np.isfinite(value) else None


def _from_json(content: dict[str, Any]) -> Search:
    """The search of a line; null is read as NaN."""
    for name, kind in NUMBERS.items():
        if kind is np.float64 and content[name] is None:
            content[name] = float("nan")
    for name in ("saddle", "minimum"):
        content[name] = np.array(content[name], np.float64).reshape(-1, 3)  # null becomes NaN
    content["moved"] = np.array(content["moved"], np.int64)
    return Search(**content)
