"""Model files with other metadata, weights, zip structures or programs."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import mutations
from tests.fuzz.harness import ROOT, Disagreement
from vitrify import VitrifyError, open_model, read_metadata
from vitrify.core.compiled import _core

FILES = ("kalj.ogn.pt", "Cu64Zr36.symgnn.pt", "Cu50Zr50.glassvae.pt", "Si.amshortcut.pt")
Entries = list[tuple[str, bytes]]


@cache
def entries_of(name: str) -> tuple[tuple[str, bytes], ...]:
    with zipfile.ZipFile(ROOT / "potentials" / name) as archive:
        return tuple((entry, archive.read(entry)) for entry in archive.namelist())


def write(path: Path, entries: Entries) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


def changed(name: str, suffix: str, change: Callable[[bytes], bytes]) -> Entries:
    return [(entry, change(content) if entry.endswith(suffix) else content) for entry, content in entries_of(name)]


def metadata(rng: random.Random, folder: Path) -> Callable[[], Any]:
    """vitrify.json with other values, or with other bytes."""

    def change(text: bytes) -> bytes:
        if rng.random() < 0.8:
            document = mutations.of_document(rng, json.loads(text))
            return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        return mutations.of_text(rng, text)

    name = rng.choice(FILES)
    path = write(folder / name, changed(name, "vitrify.json", change))
    return lambda: use(path)


def weights(rng: random.Random, folder: Path) -> Callable[[], Any]:
    """The safetensors part with another header, or with other bytes."""

    def change(content: bytes) -> bytes:
        (length,) = struct.unpack("<Q", content[:8])
        header, values = content[8 : 8 + length], content[8 + length :]
        match rng.randrange(4):
            case 0:
                header = json.dumps(mutations.of_document(rng, json.loads(header))).encode()
            case 1:
                header = mutations.of_text(rng, header)
            case 2:
                values = mutations.of_bytes(rng, values)
            case _:
                return mutations.of_bytes(rng, content)
        size = length if rng.random() < 0.1 else len(header)
        return struct.pack("<Q", size) + header + values

    name = rng.choice(FILES)
    path = write(folder / name, changed(name, ".safetensors", change))
    return lambda: use(path)


def archive(rng: random.Random, folder: Path) -> Callable[[], Any]:
    """Other names, orders, compressions and directories of entries, and other bytes of the whole file."""
    name = rng.choice(FILES)
    entries = list(entries_of(name))
    path = folder / name
    match rng.randrange(5):
        case 0:
            write(path, renamed(rng, entries))
        case 1:
            rng.shuffle(entries)
            kind = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_STORED))
            with zipfile.ZipFile(path, "w", kind) as new:
                for entry, content in entries:
                    new.writestr(entry, content)
        case 2:
            write(path, entries)
            content = path.read_bytes()
            other = io.BytesIO()
            with zipfile.ZipFile(other, "w") as second:
                second.writestr("archive/extra/vitrify.json", b"{}")
            more = rng.choice((b"\0" * 100, other.getvalue(), content, content[-22:]))
            path.write_bytes(rng.choice((more + content, content + more)))
        case 3:
            write(path, entries)
            content = path.read_bytes()
            # The directory and the end record are at the end.
            tail = len(content) - rng.choice((22, 200, 2000))
            path.write_bytes(content[:tail] + mutations.of_bytes(rng, content[tail:]))
        case _:
            write(path, entries)
            path.write_bytes(mutations.of_bytes(rng, path.read_bytes()))
    return lambda: use(path)


def renamed(rng: random.Random, entries: Entries) -> Entries:
    at = rng.randrange(len(entries))
    name, content = entries[at]
    other = rng.choice((
        name.upper(), name.replace("archive", "Archive"), "/" + name, "../" + name, name + "/", name.replace("/", "\\"),
        "", name + "\0", name.replace("/", "//"), rng.choice(entries)[0], "archive/code/__torch__/x.py", "x" * 70000,
        name.encode().decode("latin-1") + "\udcff".encode("utf-8", "surrogatepass").decode("latin-1"),
    ))  # fmt: skip
    if rng.random() < 0.5:
        return [*entries, (other[:65000], content)]
    entries[at] = (other[:65000], content)
    return entries


_PICKLES = (
    b"\x80\x02cposix\nsystem\nX\x09\x00\x00\x00touch ran\x85R.",
    b"\x80\x02cbuiltins\nexec\nX\x17\x00\x00\x00open('ran','w').close()\x85R.",
    b"\x80\x02" + b"(" * 100000 + b"t" * 100000 + b".",
    b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
)  # fmt: skip
_CODE = (
    b"\ndef __setstate__(self, state: int) -> NoneType:\n  _0 = ops.aten.from_file('ran', True, 8)\n",
    b"\n  def extra(self, x: Tensor=ops.aten.from_file(\"ran\", True, 8)) -> Tensor:\n    return x\n",
    b"\n" + b"(" * 50000 + b"1" + b")" * 50000 + b"\n",
)  # fmt: skip


def program(rng: random.Random, folder: Path) -> Callable[[], Any]:
    """Other TorchScript code, constants and pickles, asked for with engine torch."""
    name = rng.choice(FILES)
    entries = list(entries_of(name))
    programs = [k for k, (entry, _) in enumerate(entries) if "/code/" in entry or entry.endswith(".pkl")]
    at = rng.choice(programs)
    entry, content = entries[at]
    match rng.randrange(4):
        case 0 if entry.endswith(".pkl"):
            content = rng.choice(_PICKLES)
        case 0:
            content += rng.choice(_CODE)
        case 1:
            entries.append((rng.choice((entry.upper(), "archive/CODE/__torch__/y.py")), rng.choice(_CODE)))
        case 2:
            content = mutations.of_numbers(rng, content)
        case _:
            content = mutations.of_text(rng, content)
    entries[at] = (entry, content)
    path = write(folder / name, entries)
    return lambda: use(path, "torch")


def use(path: Path, engine: str | None = None) -> None:
    """Reads a model file in both languages, which must agree, and predicts a small structure."""
    of_python, of_core = said(lambda: read_metadata(path)), said(lambda: _core.read_metadata(str(path)))
    if bool(of_python) != bool(of_core):
        raise Disagreement(f"Python: {of_python or 'accepted'}; C++: {of_core or 'accepted'}")
    if of_python:
        raise VitrifyError(of_python)
    found = read_metadata(path)
    model: Any = open_model(path, engine)  # type: ignore[arg-type]
    if not hasattr(model, "predict"):
        return
    n = 8
    positions = np.random.default_rng(0).random((n, 3)) * 6.0
    moving = [np.zeros((n, 3))] if found.kind == "ogn" else []
    model.predict(positions, *moving, np.eye(3) * 6.0, np.zeros(n, int))


def said(read: Callable[[], Any]) -> str:
    """The message of a refusal, or ""."""
    try:
        read()
    except VitrifyError as error:
        return str(error) or "refused"
    return ""
