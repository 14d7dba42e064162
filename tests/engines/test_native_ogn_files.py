"""Damaged weights and hyperparameters: the native engine refuses them with one clear error, and never crashes."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_export import rewrite
from test_native_ogn import liquid, make_model, write

from vitrify.core.errors import VitrifyError
from vitrify.ogn.native import NativeOGN


@pytest.fixture(scope="module")
def angles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A double-precision model with everything that a model can have."""
    return write(tmp_path_factory.mktemp("native") / "angles.pt", make_model("angles, two cutoffs"), "float64")


Header = dict[str, dict[str, Any]]


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.pop("times"), "has no times"),
        (lambda h: h["times"].update(dtype="I64"), "times as I64"),
        (lambda h: h["times"].update(dtype="F32"), "another size of times"),
        (lambda h: h["times"].update(shape=[2, 2]), "another size of times"),
        (lambda h: h["recall"].update(shape=[1, 25]), r"shape \(1, 25\) of recall, not \(5, 5\)"),
        (lambda h: h["recall"].update(shape=[2**40, 2**40]), "too large"),
        (lambda h: h["recall"].update(shape=[-1, 25]), "damaged header|too large"),
        (lambda h: h["times"].update(data_offsets=[8, 0]), "wrong offsets of times"),
        (lambda h: h["times"].update(data_offsets=[0, 2**60]), "wrong offsets of times"),
        (lambda h: h["times"].update(data_offsets=[0]), "wrong offsets of times"),
        (lambda h: h.update(times=7), "damaged header"),
    ],
)
def test_weights_that_contradict_their_header(
    change: Callable[[Header], None], message: str, angles: Path, tmp_path: Path
) -> None:
    path = with_header(angles, tmp_path / "bad.pt", change)
    with pytest.raises(VitrifyError, match=rf"bad\.pt.*({message}).*export the model again"):
        NativeOGN(path)


def test_damaged_weights_never_crash(angles: Path, tmp_path: Path) -> None:
    """Cut or changed anywhere, with checksums that hold: one clear error, or other numbers."""
    rng, path, refused = random.Random(3), tmp_path / "bad.pt", 0
    for trial in range(150):

        def damage(name: str, content: bytes, trial: int = trial) -> bytes:
            if not name.endswith(".safetensors"):
                return content
            if trial % 3 == 0:
                return content[: rng.randrange(len(content))]
            changed, header = bytearray(content), 8 + int.from_bytes(content[:8], "little")
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(header)] = rng.randrange(256)
            return bytes(changed)

        rewrite(angles, path, damage)
        try:
            NativeOGN(path).predict(*liquid(2))
        except VitrifyError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 3}, "make it"),
        ({"channels": 1.5}, "channels is 1.5"),
        ({"hidden": 0}, "hidden is 0"),
        ({"hidden": 10**9}, "hidden is 1000000000"),
        ({"basis": 17}, "filters.weight"),
        ({"cutoffs": [2.1]}, "contradict"),
        ({"cutoffs": [9.9] * 5}, "has the cutoff 9.9"),
        ({"moments": 2}, "contradict"),
        ({"reach": "far"}, "hyperparameters are damaged"),
    ],
)
def test_hyperparameters_that_make_no_sense(
    changes: dict[str, Any], message: str, angles: Path, tmp_path: Path
) -> None:
    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("vitrify.json"):
            return content
        document = json.loads(content)
        document["hyperparameters"].update(changes)
        return json.dumps(document).encode()

    path = rewrite(angles, tmp_path / "bad.pt", change)
    with pytest.raises(VitrifyError, match=message):
        NativeOGN(path)
