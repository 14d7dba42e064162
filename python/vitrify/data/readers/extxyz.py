"""Extended XYZ files (https://github.com/libAtoms/extxyz), as ASE, QUIP, GPUMD, MACE and OVITO write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.data.readers.extxyz_values import parse_values
from vitrify.data.readers.frame import PERIODIC, RawFrame, Wanted
from vitrify.data.readers.source import Lines, excerpt
from vitrify.data.readers.tables import INTEGER, NAME, REAL, read_table

_SPECIES = ("species", "element", "elements", "symbols", "type", "z", "numbers")
_POSITIONS = ("pos", "positions", "position")
_PLAIN = "species:S:1:pos:R:3"
_KINDS = {"R": REAL, "I": INTEGER, "S": NAME, "L": NAME}
_TRUE = {"t", "true", "1"}


@dataclass(frozen=True)
class _Column:
    """A property of each atom: its place among the words of a row, its kind (R, I, S or L) and its number of words."""

    name: str
    kind: str
    start: int
    count: int


def read_extxyz(path: Path, wanted: Wanted) -> Iterator[RawFrame]:
    """Every frame of a file; the names of keys and columns are found whatever their case."""
    with Lines(path) as lines:
        while (number := _count(lines)) is not None:
            yield _frame(lines, number, wanted)


def _count(lines: Lines) -> int | None:
    """The number of atoms of the next frame, or None at the end of the file."""
    word = lines.next_content()
    if word is None:
        return None
    if word.startswith("ITEM:"):
        raise lines.error("this is a LAMMPS dump, no extended XYZ file: call it NAME.dump")
    if not (word.isascii() and word.isdigit()) or len(word) > 18:
        raise lines.error(
            f"found {excerpt(word)} where the number of atoms of an XYZ file should be: write the file again"
        )
    if int(word) == 0:
        raise lines.error("the frame has no atoms: remove it")
    return int(word)


def _frame(lines: Lines, number: int, wanted: Wanted) -> RawFrame:
    begin = lines.number
    comment = lines.next()
    if comment is None:
        raise lines.error("the file ends behind a number of atoms: it is cut off, write it again")
    info = _info(lines, comment)
    columns = _columns(lines, str(_take(info, "properties", _PLAIN)))
    cell = _cell(lines, _take(info, "lattice", None))
    pbc = _pbc(lines, _take(info, "pbc", None))
    species, positions = _needed(lines, columns)
    first = lines.number + 1
    rows = lines.take(number)
    if len(rows) < number:
        raise lines.error(
            f"the file ends after {len(rows)} of the {number} atoms of the frame that begins in line {begin}: it is "
            "cut off, write it again or remove this frame"
        )
    names = wanted.chosen(column.name for column in columns if column not in (species, positions))
    chosen = [column for column in columns if column.name in names and column.kind in "RI"]
    layout = [
        (f"column {place + 1} ({column.name})", place, _KINDS[column.kind] if column.kind != "I" else REAL)
        for column in (positions, *chosen)
        for place in range(column.start, column.start + column.count)
    ]
    whole = "z" in (species.name.lower(), species.kind.lower()) or species.kind == "I"
    layout.insert(0, ("the species", species.start, INTEGER if whole else NAME))
    table = list(read_table(lines, rows, first, layout, count=number).values())
    values, place = {}, 4
    for column in chosen:
        part = np.stack(table[place : place + column.count], axis=1)
        values[column.name] = part[:, 0] if column.count == 1 else part
        place += column.count
    left = [column.name for column in columns if column not in (species, positions, *chosen)]
    return RawFrame(
        positions=np.stack(table[1:4], axis=1),
        cell=cell,
        kinds=_symbols(lines, table[0], first) if whole else table[0],
        line=begin,
        columns=values,
        known=tuple(column.name for column in columns if column not in (species, positions)),
        info=info,
        pbc=pbc,
        independent=True,
        unused=tuple(f"the column {name}" for name in left),
    )


def _info(lines: Lines, comment: str) -> dict[str, Any]:
    """Keys and values of the second line of a frame, with the types that ASE gives them."""
    try:
        return parse_values(comment)
    except ValueError as error:
        raise lines.error(
            f"the keys and values {excerpt(comment)} cannot be read ({error}): write them again"
        ) from None


def _take(info: dict[str, Any], name: str, default: Any) -> Any:
    """The value of a key, whatever its case, which leaves the others."""
    key = next((key for key in info if key.lower() == name), None)
    return default if key is None else info.pop(key)


def _columns(lines: Lines, text: str) -> list[_Column]:
    """The columns of Properties=name:kind:count:..."""
    words = text.split(":")
    found, start = [], 0
    for name, kind, count in zip(words[::3], words[1::3], words[2::3], strict=False):
        if kind not in _KINDS or not (count.isascii() and count.isdigit()) or not 0 < int(count) < 10000:
            break
        found.append(_Column(name, kind, start, int(count)))
        start += int(count)
    if 3 * len(found) != len(words) or len({column.name for column in found}) < len(found):
        raise lines.error(
            f"Properties={excerpt(text)} is no list of different name:kind:count, as in {_PLAIN}: write the file again"
        )
    return found


def _needed(lines: Lines, columns: Sequence[_Column]) -> tuple[_Column, _Column]:
    """The columns of species and of positions."""
    by_name = {column.name.lower(): column for column in columns}
    species = next((by_name[name] for name in _SPECIES if name in by_name and by_name[name].count == 1), None)
    positions = next((by_name[name] for name in _POSITIONS if name in by_name and by_name[name].count == 3), None)
    if species is None or positions is None or positions.kind == "S":
        names = ", ".join(column.name for column in columns)
        raise lines.error(f"the columns are {names}: species (species:S:1) and positions (pos:R:3) are needed")
    return species, positions


def _cell(lines: Lines, lattice: Any) -> np.ndarray:
    """Cell vectors (rows), or zeros where the file has none."""
    if lattice is None:
        return np.zeros((3, 3))
    values = np.asarray(lattice)
    if values.dtype.kind not in "fiu" or values.shape not in ((3,), (9,)):
        raise lines.error(f"Lattice is {excerpt(str(lattice))}, but must be nine numbers: write the file again")
    if values.shape == (3,):
        return np.diag(values.astype(np.float64))
    rows: np.ndarray = values.reshape(3, 3).astype(np.float64)
    return rows


def _pbc(lines: Lines, value: Any) -> tuple[bool, bool, bool]:
    """Whether each direction is periodic: by default all, as Lattice says."""
    if value is None:
        return PERIODIC
    words = value.split() if isinstance(value, str) else list(np.atleast_1d(value))
    found = [str(word).lower() in _TRUE for word in words]
    if len(found) == 1:
        found *= 3
    if len(found) != 3:
        raise lines.error(f'pbc is {excerpt(str(value))}, but must be three letters, as in pbc="T T T"')
    return found[0], found[1], found[2]


def _symbols(lines: Lines, numbers: np.ndarray, first: int) -> np.ndarray:
    """Chemical symbols (N,) of atomic numbers."""
    from ase.data import chemical_symbols

    if len(numbers) and not (numbers.min() > 0 and numbers.max() < len(chemical_symbols)):
        raise lines.error("an atomic number is none of an element: write the species as names", first)
    symbols: np.ndarray = np.array(chemical_symbols)[numbers]
    return symbols
