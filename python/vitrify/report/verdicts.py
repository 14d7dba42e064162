"""What an evaluation comes to, in a table for the terminal: quantity, value, what it is compared with, verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import NamedTuple

_HEADER = ("quantity", "value", "compared with", "verdict")
WIDTH = 80  # characters of a line


class Verdict(NamedTuple):
    """One row. Texts are written as they are; long ones are wrapped."""

    quantity: str
    value: str
    compared: str
    verdict: str


def verdict_table(rows: Iterable[Verdict]) -> str:
    """The rows under a header, in lines of at most WIDTH characters; "" for no rows."""
    found = list(rows)
    if not found:
        return ""
    widths = _widths([_HEADER, *found])
    lines = [_line(_HEADER, widths), "  ".join("-" * width for width in widths)]
    return "\n".join([*lines, *(_line(row, widths) for row in found)])


def _widths(rows: list[tuple[str, ...]]) -> list[int]:
    """As wide as the longest texts; the widest columns give way where that is too much."""
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    while sum(widths) + 6 > WIDTH:
        widths[widths.index(max(widths))] -= 1
    return widths


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [textwrap.wrap(text, width) or [""] for text, width in zip(row, widths, strict=True)]
    height = max(map(len, cells))
    columns = [
        [part.ljust(width) for part in cell + [""] * (height - len(cell))]
        for cell, width in zip(cells, widths, strict=True)
    ]
    return "\n".join("  ".join(parts).rstrip() for parts in zip(*columns, strict=True))


def below(value: float | None, other: float | None, better: str = "better", worse: str = "not better") -> str:
    """The verdict on a number that should be the smaller one; "no verdict" where one is missing or no number."""
    if value is None or other is None or value != value or other != other:
        return "no verdict"
    return better if value < other else worse
