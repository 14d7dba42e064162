"""Copies of model files with other entries, metadata or weights."""

from __future__ import annotations

import json
import random
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


def with_entry(source: Path, target: Path, suffix: str, change: Callable[[bytes], bytes]) -> Path:
    """A copy in which the entry whose name ends like this is another one."""
    return rewrite(source, target, lambda name, content: change(content) if name.endswith(suffix) else content)


def with_metadata(source: Path, target: Path, **changes: object) -> Path:
    return with_entry(source, target, "vitrify.json", lambda text: json.dumps({**json.loads(text), **changes}).encode())


def with_hyperparameters(source: Path, target: Path, **changes: object) -> Path:
    def change(text: bytes) -> bytes:
        document = json.loads(text)
        document["hyperparameters"].update(changes)
        return json.dumps(document).encode()

    return with_entry(source, target, "vitrify.json", change)


def with_weights(source: Path, target: Path, change: Callable[[Header, bytearray], object]) -> Path:
    """A copy of a model file whose weights have another header or other values."""

    def changed(content: bytes) -> bytes:
        (length,) = struct.unpack("<Q", content[:8])
        header, values = json.loads(content[8 : 8 + length]), bytearray(content[8 + length :])
        change(header, values)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + bytes(values)

    return with_entry(source, target, ".safetensors", changed)


def with_random_damage(source: Path, target: Path, trial: int, rng: random.Random) -> Path:
    """A copy whose weights are cut somewhere, or have other bytes in their header or anywhere; checksums hold."""

    def damaged(content: bytes) -> bytes:
        if trial % 4 == 0:
            return content[: rng.randrange(len(content))]
        changed, header = bytearray(content), 8 + int.from_bytes(content[:8], "little")
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(len(content) if trial % 4 == 3 else header)] = rng.randrange(256)
        return bytes(changed)

    return with_entry(source, target, ".safetensors", damaged)
