"""Tables of text, one line for each atom, as arrays; a value that is wrong is named with its line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.readers.source import Lines, excerpt

INTEGER, REAL, NAME = "i8", "f8", "U32"
_WORDS = {INTEGER: "an integer", REAL: "a number", NAME: "a name of at most 31 letters"}


def read_table(
    lines: Lines,
    rows: Sequence[str],
    first: int,
    columns: Sequence[tuple[str, int, str]],
    comments: str | None = None,
    count: int | None = None,
) -> dict[str, np.ndarray]:
    """Columns (N,) of a table by name; blank rows and comments are no rows. count: the N that is required, if any.

    columns: name, place from 0, and kind (INTEGER, REAL or NAME) of each. first: number of the line of rows[0], for
    messages. Raises VitrifyError for a row with a value that is missing or of another kind.
    """
    layout = [(f"c{number}", kind) for number, (_, _, kind) in enumerate(columns)]
    if not rows:
        return {name: np.zeros(0, kind) for name, _, kind in columns}
    try:
        table = np.loadtxt(rows, dtype=layout, usecols=[place for _, place, _ in columns], comments=comments, ndmin=1)
    except (ValueError, OverflowError, IndexError):
        raise _first_error(lines, rows, first, columns, comments) from None
    if count is not None and len(table) != count:
        blank = next(number for number, row in enumerate(rows, first) if row.isspace())
        raise lines.error("a blank line stands among the atoms: the file is damaged, write it again", blank)
    found = {}
    for number, (name, _, kind) in enumerate(columns):
        values = table[f"c{number}"]
        if kind == NAME and len(values) and np.char.str_len(values).max() > 31:
            raise _first_error(lines, rows, first, columns, comments)
        found[name] = np.ascontiguousarray(values)
    return found


def content_rows(rows: Sequence[str]) -> int:
    """The number of rows that are neither blank nor comments (#)."""
    return sum(1 for row in rows if not row.isspace() and not row.lstrip().startswith("#"))


def _first_error(
    lines: Lines, rows: Sequence[str], first: int, columns: Sequence[tuple[str, int, str]], comments: str | None
) -> VitrifyError:
    for number, row in enumerate(rows, first):
        words = (row.partition(comments)[0] if comments else row).split()
        for name, place, kind in columns if words else ():
            if place >= len(words):
                return lines.error(f"the row has {len(words)} columns, and no {name}: write the file again", number)
            if not _fits(words[place], kind):
                return lines.error(f"{name} is {excerpt(words[place])}, but must be {_WORDS[kind]}", number)
    return lines.error("the rows cannot be read: write the file again", first)


def _fits(word: str, kind: str) -> bool:
    try:
        if kind == INTEGER:
            return "_" not in word and abs(int(word)) < 2**63
        if kind == REAL:
            float(word)
            return "_" not in word
    except ValueError:
        return False
    return len(word) <= 31
