"""The columns of the section Atoms of a LAMMPS data file, which depend on the atom style, and guesses at the style.

The table is that of LAMMPS's manual (read_data). Behind the columns of each style, three image flags may stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vitrify.core.errors import VitrifyError, did_you_mean

# In capitals: integers. "+": any number of further columns.
_COLUMNS = {
    "atomic": "ID TYPE x y z",
    "charge": "ID TYPE q x y z",
    "full": "ID MOL TYPE q x y z",
    "molecular": "ID MOL TYPE x y z",
    "bond": "ID MOL TYPE x y z",
    "angle": "ID MOL TYPE x y z",
    "amoeba": "ID MOL TYPE q x y z",
    "body": "ID TYPE FLAG mass x y z",
    "bpm/sphere": "ID MOL TYPE diameter density x y z",
    "dielectric": "ID MOL TYPE q x y z nx ny nz area ed em epsilon curvature",
    "dipole": "ID TYPE q x y z mux muy muz",
    "dpd": "ID TYPE theta x y z",
    "edpd": "ID TYPE temperature cv x y z",
    "electron": "ID TYPE q SPIN radius x y z",
    "ellipsoid": "ID TYPE FLAG density x y z",
    "line": "ID MOL TYPE FLAG density x y z",
    "mdpd": "ID TYPE rho x y z",
    "oxdna": "ID TYPE x y z",
    "peri": "ID TYPE volume density x y z",
    "rheo": "ID TYPE STATUS rho x y z",
    "rheo/thermal": "ID TYPE STATUS rho energy x y z",
    "smd": "ID TYPE MOL volume mass kradius cradius x0 y0 z0 x y z",
    "sph": "ID TYPE rho esph cv x y z",
    "sphere": "ID TYPE diameter density x y z",
    "spin": "ID TYPE x y z spx spy spz sp",
    "tdpd": "ID TYPE x y z +",
    "template": "ID TYPE MOL INDEX ATOM x y z",
    "tri": "ID MOL TYPE FLAG density x y z",
    "wavepacket": "ID TYPE q SPIN radius ETAG csre csim x y z",
    "hybrid": "ID TYPE x y z +",
}
_USUAL = ("atomic", "charge", "molecular", "full")  # of glasses; the others are tried where none of these fits
_HEAVY = ("sphere", "ellipsoid", "bpm/sphere", "line", "tri", "peri", "body", "smd")  # whose atoms have own masses
_POSITIVE = ("diameter", "density", "volume", "mass", "radius")
_SAMPLE = 5000  # rows that a guess looks at


@dataclass(frozen=True)
class Columns:
    """Places, from 0, of the columns that matter: type and x. names: of all columns; further: others may follow."""

    names: tuple[str, ...]
    further: bool

    @property
    def type(self) -> int:
        return self.names.index("TYPE")

    @property
    def x(self) -> int:
        return self.names.index("x")

    def allows(self, count: int) -> bool:
        """Whether a row may have so many columns."""
        return count >= len(self.names) if self.further else count in (len(self.names), len(self.names) + 3)

    def integers(self, count: int) -> list[int]:
        """Places that hold integers in a row of so many columns; image flags count."""
        found = [place for place, name in enumerate(self.names) if name.isupper()]
        return found if self.further or count == len(self.names) else [*found, count - 3, count - 2, count - 1]


def columns_of(style: str) -> Columns:
    """The columns of an atom style; "hybrid sphere bond" is hybrid. VitrifyError for an unknown style."""
    name = style.split()[0] if style.split() else style
    for suffix in ("/kk", "/kk/device", "/kk/host"):
        name = name.removesuffix(suffix)
    if name not in _COLUMNS:
        raise VitrifyError(
            f"atom style {style!r} is unknown{did_you_mean(name, _COLUMNS)}: use one of {', '.join(_COLUMNS)}"
        )
    names = _COLUMNS[name].split()
    return Columns(tuple(name for name in names if name != "+"), "+" in names)


def is_style(word: str) -> bool:
    """Whether this is the name of an atom style."""
    return word.partition("/kk")[0] in _COLUMNS


def guess_style(rows: Sequence[str], is_type: Callable[[str], bool], has_masses: bool) -> tuple[str | None, list[str]]:
    """The style that rows of a section Atoms can have, and all that they can have where the choice matters.

    is_type: whether a word may be a type, an id or a label. has_masses: whether the file has masses of types. Without
    them, styles whose atoms have masses of their own are as likely as the usual ones. None if there is no style, or if
    two of them would give other types or positions.
    """
    table = [words for words in (row.partition("#")[0].split() for row in rows[:_SAMPLE]) if words]
    fitting = [
        style for style in _COLUMNS if not columns_of(style).further and _fits(columns_of(style), table, is_type)
    ]
    usual = [style for style in fitting if style in _USUAL]
    likely = [s for s in fitting if s in _USUAL or (s in _HEAVY and not has_masses)] if usual else fitting
    readings = {(columns_of(style).type, columns_of(style).x) for style in likely}
    if len(readings) == 1:
        return likely[0], likely
    # Types in the third column are no charges: all of them would be positive integers.
    if likely == ["charge", "molecular"]:
        return "molecular", likely
    return None, likely


def _fits(columns: Columns, table: Sequence[Sequence[str]], is_type: Callable[[str], bool]) -> bool:
    for words in table:
        if not columns.allows(len(words)) or not is_type(words[columns.type]):
            return False
        for place in columns.integers(len(words)):
            if place != columns.type and not is_integer(words[place]):
                return False
        for word, name in zip(words, columns.names, strict=False):
            if name in _POSITIVE and word.startswith("-"):
                return False
    return True


def is_integer(word: str) -> bool:
    """Whether a word is an integer as LAMMPS writes it."""
    digits = word[1:] if word[:1] in "+-" else word
    return digits.isascii() and digits.isdigit()
