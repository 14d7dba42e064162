"""The formats that are read, by the names of their files; this module imports none of the readers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitrify.data.readers.paths import expand_paths

FORMATS = (
    "extended XYZ (.extxyz, .xyz), LAMMPS dump (.lammpstrj, .dump), LAMMPS data (.data, .lmp), npz, label file or H5MD "
    "(.h5), or what ASE reads (POSCAR, .cif, .traj ...)"
)
# Functions of vitrify.data.readers, "module:function".
NPZ, EXTXYZ, HDF5 = "npz:read_npz", "extxyz:read_extxyz", "hdf5:read_hdf5"
DUMP, DATA, ASE = "lammps_dump:read_lammps_dump", "lammps_data:read_lammps_data", "ase_formats:read_by_ase"
_BY_SUFFIX = {
    ".npz": NPZ,
    ".extxyz": EXTXYZ,
    ".xyz": EXTXYZ,
    ".lammpstrj": DUMP,
    ".dump": DUMP,
    ".data": DATA,
    ".lmp": DATA,
    ".lammps": DATA,
    ".lmpdat": DATA,
    ".h5": HDF5,
    ".hdf5": HDF5,
    ".h5md": HDF5,
}
_BY_PREFIX = {"dump": DUMP, "data": DATA}
# Of ASE's formats, for the files of a folder.
_KNOWN = (".cif", ".vasp", ".poscar", ".traj", ".xsf", ".pdb", ".gen", ".cfg")
_KNOWN_NAMES = ("poscar", "contcar", "xdatcar", "outcar", "vasprun.xml")
# Further ones, which win over a prefix: data.json is no LAMMPS data file.
_OF_ASE = (*_KNOWN, ".json", ".db", ".res", ".cell", ".gro", ".mol", ".sdf", ".xtd", ".xml", ".cml", ".nc")
_PACKINGS = (".gz", ".bz2")


def files_of(paths: str | Path | Sequence[str | Path], base: Path | None = None) -> list[Path]:
    """The files that paths, patterns and folders name; see `vitrify.data.readers.paths.expand_paths`."""
    return expand_paths(paths, _is_known, base)


def plain_name(path: Path) -> str:
    """The name of a file without the suffix of a packed one."""
    return path.name.removesuffix(path.suffix) if path.suffix.lower() in _PACKINGS else path.name


def format_by_name(path: Path) -> str | None:
    """The reader for a suffix, or for a prefix that LAMMPS users give to their files: dump.glass, data.glass."""
    name = Path(plain_name(path).lower())
    if name.suffix in _OF_ASE:
        return None
    return _BY_SUFFIX.get(name.suffix) or _BY_PREFIX.get(name.name.partition(".")[0])


def _is_known(path: Path) -> bool:
    name = plain_name(path).lower()
    return format_by_name(path) is not None or name.endswith(_KNOWN) or name.partition(".")[0] in _KNOWN_NAMES
