"""Marks most cases of large tests as slow, as `fast_cases.toml` says."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

TABLE = Path(__file__).parent.parent / "fast_cases.toml"


def spread(number: int, of: int) -> set[int]:
    """Indices of `number` of `of` things at equal distances, the first among them."""
    kept = min(number, of)
    return {of * i // kept for i in range(kept)}


def table() -> dict[str, int]:
    """How many cases of a test the fast set runs, by file::name."""
    files = tomllib.loads(TABLE.read_text())
    return {f"{file}::{name}": number for file, tests in files.items() for name, number in tests.items()}


def mark_the_rest_as_slow(items: list[pytest.Item]) -> None:
    """Marks the cases that the table leaves out."""
    numbers = table()
    cases: dict[str, list[pytest.Item]] = {name: [] for name in numbers}
    for item in items:
        name = item.nodeid.partition("[")[0]
        if name in cases and not item.get_closest_marker("slow"):
            cases[name].append(item)
    for name, found in cases.items():
        kept = spread(numbers[name], len(found))
        for i, item in enumerate(found):
            if i not in kept:
                item.add_marker(pytest.mark.slow)
