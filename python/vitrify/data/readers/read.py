"""The one entrance for files with structures: finds the reader of a file by its content and its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vitrify.core.errors import VitrifyError
from vitrify.data.readers.ase_formats import read_by_ase
from vitrify.data.readers.extxyz import read_extxyz
from vitrify.data.readers.frame import RawFrame, Reader, Wanted
from vitrify.data.readers.hdf5 import read_hdf5
from vitrify.data.readers.lammps_data import read_lammps_data
from vitrify.data.readers.lammps_dump import read_lammps_dump
from vitrify.data.readers.npz import read_npz
from vitrify.data.readers.source import expand_paths, first_bytes, is_packed, require_file

FORMATS = (
    "extended XYZ (.extxyz, .xyz), LAMMPS dump (.lammpstrj, .dump), LAMMPS data (.data, .lmp), npz, label file or H5MD "
    "(.h5), or what ASE reads (POSCAR, .cif, .traj ...)"
)
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib")
_BY_SUFFIX: dict[str, Reader] = {
    ".npz": read_npz,
    ".extxyz": read_extxyz,
    ".xyz": read_extxyz,
    ".lammpstrj": read_lammps_dump,
    ".dump": read_lammps_dump,
    ".data": read_lammps_data,
    ".lmp": read_lammps_data,
    ".lammps": read_lammps_data,
    ".lmpdat": read_lammps_data,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".h5md": read_hdf5,
}
_BY_PREFIX: dict[str, Reader] = {"dump": read_lammps_dump, "data": read_lammps_data}
# Of ASE's formats, for the files of a folder.
_KNOWN = (".cif", ".vasp", ".poscar", ".traj", ".xsf", ".pdb", ".gen", ".cfg")
_KNOWN_NAMES = ("poscar", "contcar", "xdatcar", "outcar", "vasprun.xml")
_PACKINGS = (".gz", ".bz2")


def read_frames(path: str | Path, wanted: Wanted) -> Iterator[RawFrame]:
    """All structures of a file, one after the other.

    Raises VitrifyError for a file that is missing, damaged, a pickle, or of an unknown format; the message names the
    file, and the line where there is one.
    """
    found = require_file(path)
    _refuse_pickle(found)
    return _reader(found)(found, wanted)


def files_of(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files that paths, patterns and folders name; see `vitrify.data.readers.source.expand_paths`."""
    return expand_paths(paths, _is_known)


def plain_name(path: Path) -> str:
    """The name of a file without the suffix of a packed one."""
    return path.name.removesuffix(path.suffix) if path.suffix.lower() in _PACKINGS else path.name


def _by_name(path: Path) -> Reader | None:
    """The reader for a suffix, or for a prefix that LAMMPS users give to their files: dump.glass, data.glass."""
    name = Path(plain_name(path).lower())
    return _BY_SUFFIX.get(name.suffix) or _BY_PREFIX.get(name.name.partition(".")[0])


def _is_known(path: Path) -> bool:
    name = plain_name(path).lower()
    if name.startswith("."):
        return False
    return _by_name(path) is not None or name.endswith(_KNOWN) or name.partition(".")[0] in _KNOWN_NAMES


def _reader(path: Path) -> Reader:
    """The reader for the content of a file where that is beyond doubt, else for its name, else for what it looks like."""
    start = first_bytes(path)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return read_hdf5
    if start.startswith(b"PK\x03\x04") and path.suffix.lower() == ".npz":
        return read_npz
    if start.startswith(b"ITEM: "):
        return read_lammps_dump
    named = _by_name(path)
    if named is read_npz and is_packed(path):
        raise VitrifyError(f"{path} is packed twice: unpack it")
    if named is not None:
        return named
    words = start.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    if len(words) > 1 and words[0].strip().isdigit() and ("Properties=" in words[1] or "Lattice=" in words[1]):
        return read_extxyz
    if any(line.split()[-2:] == ["xlo", "xhi"] for line in words):
        return read_lammps_data
    return read_by_ase


def _refuse_pickle(path: Path) -> None:
    # 0x80 opens every pickle of protocol 2 and later, under whatever name.
    if first_bytes(path)[:1] == b"\x80" or path.suffix.lower() in _PICKLES:
        raise VitrifyError(
            f"{path} is a pickle, which could run any program, and a pickle is refused: "
            "store plain arrays with numpy.savez (positions, box or cell, types, and the label)"
        )
