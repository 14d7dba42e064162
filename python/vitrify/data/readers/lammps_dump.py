"""LAMMPS text dumps (dump atom, dump custom): every frame, with renamed columns and species that are no elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.readers.frame import PERIODIC, RawFrame, Wanted
from vitrify.data.readers.lammps_styles import is_integer
from vitrify.data.readers.source import Lines, excerpt
from vitrify.data.readers.tables import INTEGER, NAME, REAL, read_table

_POSITIONS = (("x", "y", "z"), ("xu", "yu", "zu"), ("xs", "ys", "zs"), ("xsu", "ysu", "zsu"))
_KINDS = ("typelabel", "element", "type")
_IMAGES = ("ix", "iy", "iz")
_NO_FLAGS = "BOX BOUNDS says nothing of the boundaries, which are taken as periodic"
_AGAIN = "timesteps do not rise: runs were appended to the dump, and all frames are used"


@dataclass
class _Header:
    """The items before the atoms of a frame. line: of the first one, from 1. flags: the words behind BOX BOUNDS."""

    line: int = 0
    number: int | None = None
    box: np.ndarray | None = None
    flags: list[str] = field(default_factory=list)
    info: dict[str, float] = field(default_factory=dict)


def read_lammps_dump(path: Path, wanted: Wanted) -> Iterator[RawFrame]:
    """Every frame of a dump with the columns id, type or element, x y z (also xu, xs, xsu), its atoms sorted by id."""
    units: list[str] = []  # which a dump says once
    frame, before = 0, -np.inf
    with Lines(path) as lines:
        while (columns := _header(lines, header := _Header(), units, frame)) is not None:
            frame += 1
            step = header.info.get("timestep", np.inf)
            yield _atoms(lines, columns, header, units, wanted, frame, step <= before)
            before = step


def _header(lines: Lines, header: _Header, units: list[str], frame: int) -> list[str] | None:
    """Reads the items before the atoms into `header`; the columns of the atoms, or None at the end of the file."""
    while (line := lines.next()) is not None:
        if line.isspace():
            continue
        header.line = header.line or lines.number
        if not line.startswith("ITEM:"):
            if frame == 0 and header.number is None and not header.info:
                raise lines.error(f"this is no LAMMPS text dump (found {excerpt(line)}): dump it with style custom")
            raise lines.error(f"found {excerpt(line)} where an ITEM should be: the dump is damaged, write it again")
        words = line.split()[1:]
        if words[:1] == ["ATOMS"]:
            if header.number is None or header.box is None:
                raise lines.error("atoms come before their number and box: give a whole LAMMPS dump")
            return words[1:]
        _item(lines, header, words, units)
    if header.line:
        raise lines.error("the file ends within a frame: it is truncated, write it again or remove the rest")
    return None


def _item(lines: Lines, header: _Header, words: list[str], units: list[str]) -> None:
    """One item of a header: its name and the lines behind it."""
    name = " ".join(words)
    count = 3 if words[:2] == ["BOX", "BOUNDS"] else 1
    values = [line.split() for line in lines.take(count)]
    if len(values) < count:
        raise lines.error("the file ends within a frame: it is truncated, write it again or remove the rest")
    try:
        if count == 3:
            header.flags = words[2:]
            header.box = np.array([[float(word) for word in row] for row in values])
            if header.box.shape not in ((3, 2), (3, 3), (3, 4)) or not np.isfinite(header.box).all():
                raise ValueError
        elif name == "NUMBER OF ATOMS":
            header.number = int(values[0][0])
            if header.number < 0 or len(values[0]) > 1:
                raise ValueError
        elif name == "UNITS":
            units[:] = values[0][:1]
        elif name in ("TIMESTEP", "TIME"):
            header.info[name.lower()] = float(values[0][0])
        elif name.startswith(("NUMBER OF", "ENTRIES")):
            raise lines.error(f"the dump has {name.lower()} in place of atoms: dump atoms, with style custom")
    except (ValueError, IndexError, OverflowError) as error:
        if isinstance(error, VitrifyError):
            raise
        found = excerpt(" ".join(word for row in values for word in row))
        raise lines.error(f"ITEM: {name} is {found}: the dump is damaged, write it again") from None


def _atoms(
    lines: Lines, columns: list[str], header: _Header, units: list[str], wanted: Wanted, frame: int, again: bool
) -> RawFrame:
    """The atoms of a frame. again: its timestep is not above that of the frame before."""
    assert header.number is not None and header.box is not None
    if header.number == 0:
        raise lines.error(f"frame {frame} has no atoms: remove it")
    place, kind = _check_columns(lines, columns)
    boundaries = _boundaries(header.flags)
    first = lines.number + 1
    rows = lines.take(header.number)
    _check_whole(lines, rows, header.number, first, frame)
    cell, origin = _cell(lines, header.box, header.flags)
    labels = wanted.chosen(columns) if wanted.columns else []
    images = [name for name in _IMAGES if name in columns and not place[0].endswith("u")]
    layout = [("id", columns.index("id"), INTEGER), (kind, columns.index(kind), NAME)]
    layout += [(name, columns.index(name), REAL) for name in (*place, *labels)]
    found = read_table(lines, rows, first, layout, count=header.number)
    ids = found["id"]
    order = np.argsort(ids, kind="stable")
    if len(np.unique(ids)) != header.number:
        twice = int(ids[order][:-1][np.diff(ids[order]) == 0][0])
        raise lines.error(f"the atom id {twice} is there twice: dump every atom once", first)
    positions = np.stack([found[name] for name in place], axis=1)[order]
    used = {"id", *_KINDS, *place, *labels, *images}
    left = [name for name in columns if name not in used and not any(name in other for other in _POSITIONS)]
    return RawFrame(
        positions=positions @ cell + origin if place[0].startswith("xs") else positions,
        cell=cell,
        kinds=_kinds(lines, found[kind][order], kind, first),
        line=header.line,
        columns={"id": ids[order], **{name: found[name][order] for name in labels}},
        known=tuple(name for name in columns if name not in ("id", kind, *place)),
        info=header.info,
        pbc=boundaries or PERIODIC,
        units=units[0] if units else None,
        unused=tuple(f"the column {name}" for name in left),
        remarks=tuple(text for text, holds in ((_NO_FLAGS, boundaries is None), (_AGAIN, again)) if holds),
    )


def _check_columns(lines: Lines, columns: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The columns of positions, and that of species."""
    repeated = [name for name in columns if columns.count(name) > 1]
    if repeated:
        raise lines.error(f"the column {excerpt(repeated[0])} is there twice: name each column once")
    place = next((names for names in _POSITIONS if set(names) <= set(columns)), None)
    kind = next((name for name in _KINDS if name in columns), None)
    missing = ["id"] * ("id" not in columns) + ["type"] * (kind is None) + ["x y z"] * (place is None)
    if place is None or kind is None or missing:
        raise lines.error(
            f"the atoms have the columns {' '.join(columns)}, and lack {', '.join(missing)}: "
            "dump id, type (or element), x y z, and the label"
        )
    return place, kind


def _check_whole(lines: Lines, rows: Sequence[str], number: int, first: int, frame: int) -> None:
    """VitrifyError where a frame ends before its last atom."""
    end = next((place for place, row in enumerate(rows) if row.startswith("ITEM:")), len(rows))
    if end < number:
        raise lines.error(
            f"frame {frame} has {end} of its {number} atoms: it is truncated, write it again or remove this frame",
            first + end if end < len(rows) else None,
        )


def _kinds(lines: Lines, kinds: np.ndarray, kind: str, first: int) -> np.ndarray:
    """Type ids (N,) where they are numbers, else names."""
    if kind != "type" or not len(kinds):
        return kinds
    try:
        return kinds.astype(np.int64)
    except (ValueError, OverflowError):
        pass
    # No label begins like a number.
    like_numbers = [name for name in np.unique(kinds).tolist() if name[:1].isdigit() or name[:1] in "+-"]
    if like_numbers:
        wrong = max(like_numbers, key=lambda name: (not is_integer(name), len(name)))
        raise lines.error(f"the type {excerpt(wrong)} is neither an id from 1 nor a label: write the dump again", first)
    return kinds


def _boundaries(flags: Sequence[str]) -> tuple[bool, bool, bool] | None:
    """Whether each direction is periodic; None for a dump without flags, as LAMMPS wrote it long ago."""
    found = [flag == "pp" for flag in flags if len(flag) == 2 and set(flag) <= set("pfsm")]
    return (found[0], found[1], found[2]) if len(found) == 3 else None


def _cell(lines: Lines, box: np.ndarray, flags: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Cell vectors (rows) and origin from BOX BOUNDS: orthogonal, restricted or general triclinic."""
    general = flags[:2] == ["abc", "origin"]
    columns = 4 if general else 3 if flags[:3] == ["xy", "xz", "yz"] else 2
    if box.shape[1] != columns:
        raise lines.error(
            f"BOX BOUNDS {' '.join(flags)} has {box.shape[1]} numbers in a line, but must have {columns}: write the "
            "dump again"
        )
    if general:
        return box[:, :3], box[:, 3]
    (low, high), (xy, xz, yz) = box[:, :2].T.copy(), box[:, 2] if columns == 3 else np.zeros(3)
    # A dump of a triclinic box has the bounds of the box around it.
    low[0] -= min(0.0, xy, xz, xy + xz)
    high[0] -= max(0.0, xy, xz, xy + xz)
    low[1] -= min(0.0, yz)
    high[1] -= max(0.0, yz)
    cell = np.diag(high - low)
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    if not np.diag(cell).min() > 0:
        raise lines.error("the box has no volume (a lower bound is not below the upper one): write the dump again")
    return cell, low
