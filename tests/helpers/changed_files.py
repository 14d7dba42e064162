"""Copies of model files with other entries, metadata or weights."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Header = dict[str, dict[str, Any]]


def rewrite(source: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of an archive with each entry replaced by `change(name, content)`; None leaves it out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def with_metadata(source: Path, target: Path, **changes: object) -> Path:
    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("vitrify.json"):
            return content
        return json.dumps({**json.loads(content), **changes}).encode()

    return rewrite(source, target, change)


def with_header(source: Path, target: Path, change: Callable[[Header], None]) -> Path:
    """A copy of a model file with another header of its weights."""

    def rewritten(name: str, content: bytes) -> bytes:
        if not name.endswith(".safetensors"):
            return content
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + content[8 + length :]

    return rewrite(source, target, rewritten)
