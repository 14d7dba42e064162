"""LAMMPS data files (read_data, write_data) of every atom style, with type labels or ids, in any triclinic cell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vitrify.data.readers.frame import RawFrame, Wanted
from vitrify.data.readers.lammps_styles import Columns, columns_of, guess_style, is_integer, is_style
from vitrify.data.readers.lammps_types import named_types
from vitrify.data.readers.source import Lines, excerpt
from vitrify.data.readers.tables import INTEGER, NAME, REAL, content_rows, read_table

_SECTIONS = frozenset(
    """Atoms|Velocities|Masses|Ellipsoids|Lines|Triangles|Bodies|Bonds|Angles|Dihedrals|Impropers
    Atom Type Labels|Bond Type Labels|Angle Type Labels|Dihedral Type Labels|Improper Type Labels
    Pair Coeffs|PairIJ Coeffs|Bond Coeffs|Angle Coeffs|Dihedral Coeffs|Improper Coeffs|BondBond Coeffs
    BondAngle Coeffs|MiddleBondTorsion Coeffs|EndBondTorsion Coeffs|AngleTorsion Coeffs|AngleAngleTorsion Coeffs
    BondBond13 Coeffs|AngleAngle Coeffs|Tinker Types|CMAP""".replace("\n", "|").replace("    ", "").split("|")
)  # fmt: skip
_BOX = {"xlo xhi": 2, "ylo yhi": 2, "zlo zhi": 2, "xy xz yz": 3, "avec": 3, "bvec": 3, "cvec": 3, "abc origin": 3}
_HEADER = re.compile(r"((?:[-+.\w]+\s+)+?)([a-zA-Z].*)")
_READ = ("Atoms", "Masses", "Atom Type Labels")
_TITLE_UNITS = re.compile(r"\bunits\s*=\s*(\w+)")


@dataclass
class _File:
    """What was found in a data file. rows: of the sections that are read, with the number of their first line."""

    numbers: dict[str, int] = field(default_factory=dict)
    box: dict[str, list[float]] = field(default_factory=dict)
    rows: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    style: str = ""  # in the comment behind Atoms
    units: str | None = None
    unused: list[str] = field(default_factory=list)


def read_lammps_data(path: Path, wanted: Wanted) -> Iterator[RawFrame]:
    """The structure of a data file, its atoms sorted by id; values of atoms are in a file beside it."""
    with Lines(path) as lines:
        file = _parsed(lines)
        if "Atoms" not in file.rows:
            raise lines.error("the file has no section Atoms: give a LAMMPS data file (write_data)")
        masses, comments = _masses(lines, file)
        labels = _type_labels(lines, file)
        style, remarks = _style(lines, file, wanted.atom_style, labels, bool(masses))
        ids, types, positions = _atoms(lines, file, style, labels)
        cell = _cell(lines, file.box)
    kinds, more = named_types(str(path), types, labels, masses, comments, wanted.species)
    yield RawFrame(
        positions=positions,
        cell=cell,
        kinds=kinds,
        line=file.rows["Atoms"][0],
        columns={"id": ids},
        has_columns=False,
        units=file.units,
        unused=tuple(file.unused),
        remarks=(*remarks, *more),
    )


def _parsed(lines: Lines) -> _File:
    """The header and the rows of the sections, unread."""
    file = _File()
    title = lines.next() or ""
    if title.startswith("ITEM:"):
        raise lines.error("this is a LAMMPS dump, no data file: call it NAME.dump")
    units = _TITLE_UNITS.search(title)
    file.units = units[1] if units else None
    section = _header(lines, file)
    while section is not None:
        section = _section(lines, file, section)
    return file


def _header(lines: Lines, file: _File) -> str | None:
    """Reads counts and the box; returns the line of the first section."""
    while (line := lines.next()) is not None:
        content, name = line.partition("#")[0].strip(), _section_name(line)
        # A word of another program among the counts is a mistake, and no section.
        if name in _SECTIONS or (name and file.box and "atoms" in file.numbers):
            return line
        if not content:
            continue
        found = _HEADER.fullmatch(content)
        words, what = (found[1].split(), " ".join(found[2].split())) if found else ([], "")
        try:
            if what in _BOX and len(words) == _BOX[what]:
                file.box[what] = [float(word) for word in words]
            elif len(words) == 1 and what not in _BOX:
                file.numbers[what] = int(words[0])
            else:
                raise ValueError
        except ValueError:
            raise lines.error(
                f"{excerpt(content)} is no line of the header of a LAMMPS data file, such as '100 atoms' or "
                "'0 10 xlo xhi': write the file with write_data"
            ) from None
        if file.numbers.get(what, 0) < 0 or file.numbers.get(what, 0) >= 2**63:
            raise lines.error(f"{excerpt(content)} is no number of {what}: write the file again")
    return None


def _section(lines: Lines, file: _File, line: str) -> str | None:
    """Reads the rows of a section; returns the line of the next one."""
    name = _section_name(line)
    first = lines.number + 1
    if name in file.rows:
        raise lines.error(f"the section {name} is there twice: keep one of them")
    rows: list[str] = []
    if name == "Atoms":
        file.style = line.partition("#")[2].strip()
        number = file.numbers.get("atoms")
        if number is None:
            raise lines.error("the header has no line such as '100 atoms': write the file with write_data")
        file.rows[name] = first, _counted_rows(lines, number)
        end = lines.number
        found = _next_section(lines, rows)
        if content_rows(rows):
            place = next(number for number, row in enumerate(rows, end + 1) if content_rows([row]))
            raise lines.error(f"the header says {number} atoms, and here is another row: correct the number", place)
        return found
    found = _next_section(lines, rows if name in _READ else None)
    if name in _READ:
        file.rows[name] = first, rows
    elif not name.endswith(("Coeffs", "Labels")):
        file.unused.append(f"the section {name}")
    return found


def _counted_rows(lines: Lines, number: int) -> list[str]:
    """The lines up to the last of `number` atoms."""
    rows: list[str] = []
    count, first = 0, lines.number + 1
    while count < number and (part := lines.take(number - count)):
        rows += part
        count += content_rows(part)
    place = next((place for place, row in enumerate(rows) if row.lstrip()[:1].isalpha() and _section_name(row)), None)
    if count < number or place is not None:
        there = content_rows(rows if place is None else rows[:place])
        raise lines.error(
            f"the section Atoms has {there} of the {number} atoms of the header: the file is truncated, write it again",
            None if place is None else first + place,
        )
    return rows


def _next_section(lines: Lines, rows: list[str] | None) -> str | None:
    """The line of the next section. rows: gets the lines before it; None: they are left out."""
    while (line := lines.next()) is not None:
        if line.lstrip()[:1].isalpha() and _section_name(line):
            return line
        if rows is not None:
            rows.append(line)
    return None


def _section_name(line: str) -> str:
    """The name of the section that begins with a line, known or of words alone; else ""."""
    words = line.partition("#")[0].split()
    content = " ".join(words)
    alone = bool(words) and all(word.isascii() and word.isalpha() for word in words)
    return content if content in _SECTIONS or alone else ""


def _type_labels(lines: Lines, file: _File) -> dict[int, str]:
    """The label of each type; empty if the file has none."""
    first, rows = file.rows.get("Atom Type Labels", (0, []))
    found = read_table(lines, rows, first, [("the type", 0, INTEGER), ("the label", 1, NAME)], "#")
    labels = dict(zip(found["the type"].tolist(), found["the label"].tolist(), strict=True))
    if len(labels) < len(found["the type"]) or len(set(labels.values())) < len(labels):
        raise lines.error(
            "a type or a label is there twice in the section Atom Type Labels: name each type once", first
        )
    return labels


def _masses(lines: Lines, file: _File) -> tuple[dict[str, float], dict[str, str]]:
    """The mass of each type, and the first word of the comment behind it; the type is an id or a label, as text."""
    first, rows = file.rows.get("Masses", (0, []))
    found = read_table(lines, rows, first, [("the type", 0, NAME), ("the mass", 1, REAL)], "#")
    masses = dict(zip(found["the type"].tolist(), found["the mass"].tolist(), strict=True))
    comments = {}
    for row in rows:
        content, _, comment = row.partition("#")
        if content.split() and comment.split():
            comments[content.split()[0]] = comment.split()[0]
    return masses, comments


def _style(
    lines: Lines, file: _File, asked: str | None, labels: Mapping[int, str], has_masses: bool
) -> tuple[Columns, list[str]]:
    """The columns of the section Atoms, and a remark if they were guessed."""
    said = file.style.split()[0] if file.style.split() else ""
    first, rows = file.rows["Atoms"]
    if asked is not None:
        if is_style(said) and columns_of(said) != columns_of(asked):
            raise lines.error(
                f"the section Atoms says that its style is {said}, but atom_style is {asked}: leave atom_style out, or "
                "correct the file",
                first - 1,
            )
        return columns_of(asked), []
    if is_style(said):
        return columns_of(said), []
    if said and said == file.style:  # several words are a remark
        raise lines.error(
            f"the section Atoms names the atom style {excerpt(said)}, which is unknown: write 'Atoms # charge' (or "
            "another style) there, or give atom_style",
            first - 1,
        )
    high, names = file.numbers.get("atom types", 1000), set(labels.values())

    def is_type(word: str) -> bool:
        return word in names or (is_integer(word) and len(word) < 20 and 1 <= int(word) <= high)

    style, likely = guess_style(rows, is_type, has_masses)
    if style is None:
        row = next((row for row in rows if content_rows([row])), "")
        known = f"it could be {', '.join(likely)}" if likely else "its columns are those of none"
        raise lines.error(
            f"the section Atoms names no atom style, and {known} ({excerpt(row)}): write 'Atoms # charge' (or another "
            "style) there, or give atom_style",
            first - 1,
        )
    order = " ".join(columns_of(style).names).lower()
    return columns_of(style), [f"the section Atoms names no atom style, and was read as {style} ({order})"]


def _atoms(
    lines: Lines, file: _File, style: Columns, labels: Mapping[int, str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids (N,), types (N,) from 1, and positions (N, 3), sorted by id."""
    first, rows = file.rows["Atoms"]
    for number, row in enumerate(rows, first):
        count = len(row.partition("#")[0].split())
        if count and not style.allows(count):
            wanted = " ".join(style.names).lower()
            raise lines.error(
                f"the atom has {count} columns, but its style has {wanted}{' ...' if style.further else ''}, and "
                "perhaps three image flags: name the style (Atoms # charge, or atom_style)",
                number,
            )
    named = bool(labels)
    columns = [("the id", 0, INTEGER), ("the type", style.type, NAME if named else INTEGER)]
    columns += [(name, style.x + place, REAL) for place, name in enumerate("xyz")]
    found = read_table(lines, rows, first, columns, "#")
    ids, types = found["the id"], found["the type"]
    if named:
        types = _numbers_of(lines, first, types, labels)
    if len(ids) and (ids.min() < 1 or len(np.unique(ids)) < len(ids)):
        what = "an id below 1" if ids.min() < 1 else "an id twice"
        raise lines.error(f"the section Atoms has {what}: give each atom its own id from 1", first - 1)
    high = file.numbers.get("atom types")
    if len(ids) and (types.min() < 1 or (high is not None and types.max() > high)):
        wrong = int(types.min() if types.min() < 1 else types.max())
        raise lines.error(
            f"an atom has the type {wrong}, but the header has {high} atom types: if the type stands in another "
            "column, name the style (Atoms # charge, or atom_style)",
            _line_of(rows, first, int(np.argmax(types == wrong))),
        )
    order = np.argsort(ids, kind="stable")
    return ids[order], types[order], np.stack([found[name] for name in "xyz"], axis=1)[order]


def _line_of(rows: Sequence[str], first: int, atom: int) -> int:
    """The number of the line of an atom, counted from 0, among rows that may be blank."""
    return [number for number, row in enumerate(rows, first) if content_rows([row])][atom]


def _numbers_of(lines: Lines, first: int, types: np.ndarray, labels: Mapping[int, str]) -> np.ndarray:
    """Types (N,) from 1 for labels, or for ids as text."""
    numbers = {**{label: number for number, label in labels.items()}, **{str(number): number for number in labels}}
    unknown = sorted(set(types.tolist()) - set(numbers))
    if unknown:
        known = ", ".join(labels.values())
        raise lines.error(
            f"an atom has the type {excerpt(unknown[0])}, but the labels are {known}: label all types", first
        )
    return np.array([numbers[name] for name in types.tolist()], np.int64)


def _cell(lines: Lines, box: Mapping[str, list[float]]) -> np.ndarray:
    """Cell vectors (rows): orthogonal, restricted or general triclinic."""
    if "avec" in box:
        missing = [name for name in ("avec", "bvec", "cvec") if name not in box]
    else:
        missing = [name for name in ("xlo xhi", "ylo yhi", "zlo zhi") if name not in box]
    if missing:
        raise lines.error(f"the header has no line '{missing[0]}': write the file with write_data", 1)
    if "avec" in box:
        return np.array([box[name] for name in ("avec", "bvec", "cvec")])
    cell = np.diag([box[name][1] - box[name][0] for name in ("xlo xhi", "ylo yhi", "zlo zhi")])
    cell[1, 0], cell[2, 0], cell[2, 1] = box.get("xy xz yz", [0.0, 0.0, 0.0])
    if not np.diag(cell).min() > 0:
        raise lines.error("the box has no volume (a lower bound is not below the upper one): write the file again", 1)
    return cell
