"""Searches with random results in a structure of random atoms, for the tests of label files; without torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.data.label_files import Search
from vitrify.datagen.barriers.journal import LabelWriter

N = 30
HEADER = {"seed": 1, "units": "metal", "settings": {"push": 0.1, "tolerance": 1e-3}, "versions": {"vitrify": "0"}}


def structure(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "positions": rng.random((N, 3)) * 8,
        "cell": np.diag([8.0, 8.5, 9.0]),
        "types": rng.integers(0, 2, N),
        "species": ("Cu", "Zr"),
    }


def writer(path: Path, changes: dict[str, Any] | None = None, seed: int = 0) -> LabelWriter:
    return LabelWriter(path, {**HEADER, **(changes or {})}, **structure(seed))


def search(atom: int, number: int) -> Search:
    """Numbers of every size, from the name of the search alone; a third of them are not accepted."""
    rng = np.random.default_rng([atom, number])
    k = int(rng.integers(0, 6))
    failed = (atom + number) % 3 == 0
    number_of = [float(x) for x in rng.normal(size=6) * 10.0 ** rng.integers(-12, 12, 6)]
    return Search(
        atom, number, "no saddle, \u03bb > 0" if failed else "accepted", math.nan if failed else number_of[0],
        *number_of[1:], int(rng.integers(1, 5000)), float(rng.random()),
        np.sort(rng.choice(N, k, replace=False)), rng.normal(size=(k, 3)), rng.normal(size=(k, 3)) / 3,
    )  # fmt: skip


def fill(path: Path, keys: Iterable[tuple[int, int]]) -> Path:
    with writer(path) as file:
        for key in keys:
            file.append(search(*key))
    return path
