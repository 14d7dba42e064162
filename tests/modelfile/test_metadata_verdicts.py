"""LAMMPS and Python say the same to every vitrify.json: C++ reads it alone, Python reads it and asks C++."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hostile.containers import entries_of, packed
from vitrify import _core
from vitrify.core.errors import VitrifyError
from vitrify.modelfile.archive import open_archive, read_metadata, shipped_models
from vitrify.modelfile.metadata import make_metadata

MODELS = {"ogn": "cuzr.ogn.pt", "symgnn": "Cu64Zr36.symgnn.pt", "amshortcut": "SiO2.amshortcut.pt",
          "glassvae": "Cu50Zr50.glassvae.pt"}  # fmt: skip


def document(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(open_archive(shipped_models()[MODELS[kind]]).metadata_text)
    return found


def refused_by_lammps(text: bytes) -> str:
    try:
        _core.check_metadata(text, b"x.pt")
    except VitrifyError as error:
        assert str(error).isprintable() and str(error).startswith("model file x.pt")
        return str(error)
    return ""


def refused_by_python(values: dict[str, Any]) -> str:
    """What the classes of Python say, without C++."""
    try:
        make_metadata(values, "x.pt")
    except VitrifyError as error:
        return str(error)
    return ""


TEXTS: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"schema": 1, "kind": "og',
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "deep and whole": b'{"schema": 1, "x": ' + b"[" * 70 + b"]" * 70 + b"}",
    "no object": b"[1, 2]",
    "a number": b"7",
    "nothing": b"null",
    "NaN": b'{"schema": 1, "cutoff": NaN}',
    "infinite": b'{"schema": 1, "cutoff": Infinity}',
    "beyond double": b'{"schema": 1, "cutoff": 1e999}',
    "400 digits": b'{"schema": 1, "stride": ' + b"9" * 400 + b"}",
    "a key twice": b'{"schema": 1, "kind": "ogn", "kind": "symgnn"}',
    "a key twice, inside": b'{"schema": 1, "x": [{"a": 1, "a": 2}]}',
    "a key twice, escaped": b'{"schema": 1, "kind": "ogn", "\\u006bind": "ogn"}',
    "a comment": b'{"schema": 1} // hello',
    "a comma too many": b'{"schema": 1,}',
    "single quotes": b"{'schema': 1}",
    "text behind it": b'{"schema": 1} {"schema": 1}',
    "UTF-16": '{"schema": 1}'.encode("utf-16"),
    "UTF-32": '{"schema": 1}'.encode("utf-32"),
    "Latin-1": '{"schema": 1, "citation": "\xe9"}'.encode("latin-1"),
    "half a surrogate pair": b'{"schema": 1, "citation": "\\ud800"}',
    "a surrogate in UTF-8": b'{"schema": 1, "citation": "\xed\xa0\x80"}',
    "an overlong character": b'{"schema": 1, "citation": "\xc0\xaf"}',
    "a control character": b'{"schema": 1, "citation": "\x1b[2J"}',
    "a NUL": b'{"schema": 1}\0',
    "a leading zero": b'{"schema": 01}',
    "a hexadecimal number": b'{"schema": 0x1}',
    "schema as text": b'{"schema": "1"}',
    "schema as a fraction": b'{"schema": 1.5}',
    "schema of the future": b'{"schema": 2}',
    "a kind of the future": b'{"schema": 1, "kind": "mace"}',
    "a kind that is a list": b'{"schema": 1, "kind": ["ogn"]}',
    "no kind": b'{"schema": 1}',
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_are_no_metadata(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad\x1b.pt"
    path.write_bytes(packed(entries_of({"archive/extra/vitrify.json": TEXTS[name] or b" "})))
    for read in (read_metadata, lambda p: _core.read_metadata(str(p))):
        with pytest.raises(VitrifyError) as caught:
            read(path)
        assert str(caught.value).isprintable() or read is read_metadata


FREE = [("provenance", "config"), ("provenance", "data"), ("provenance", "versions")]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values, of lists only the first and the last."""
    if path:
        yield path
    if path[:1] in (("metrics",), ("hyperparameters",), ("network",)) or path[:2] in FREE:
        return  # free for anything, or read by the engine alone
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1} & set(range(len(value)))):
            yield from places(value[index], (*path, index))


GONE = object()
VALUES: list[Any] = [
    GONE, None, True, "", "x", "3", -1, 0, 2.5, 7, 1e300, -1e300, 10**25,
    [], [1], [1, 2, 3, 4], [[1]], [None], {}, {"a": 1},
]  # fmt: skip


def changed(original: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    found = copy.deepcopy(original)
    inner: Any = found
    for step in path[:-1]:
        inner = inner[step]
    if value is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return found


@pytest.mark.parametrize("kind", MODELS)
def test_what_python_refuses_lammps_refuses(kind: str) -> None:
    original = document(kind)
    assert not refused_by_lammps(json.dumps(original).encode())
    accepted = []
    for path in places(original):
        if path == ("kind",):
            continue  # of another kind only the JSON is checked, as it may come from outside
        for value in VALUES:
            values = changed(original, path, value)
            words = refused_by_python(values)
            if words and not refused_by_lammps(json.dumps(values).encode()):
                accepted.append((path, "nothing" if value is GONE else value, words))
    assert not accepted
