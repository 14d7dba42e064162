"""Readers of structures with a label for each atom: npz, extended XYZ, LAMMPS data and dump, and label files.

They give the content of a file; `vitrify.data.structures` validates it and assigns the types.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.label_files import LabelFile

_POSITIONS = (("x", "y", "z"), ("xu", "yu", "zu"), ("xs", "ys", "zs"), ("xsu", "ysu", "zsu"))
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib")
_FORMATS = (
    "npz (.npz), extended XYZ (.extxyz, .xyz), LAMMPS dump (.lammpstrj, .dump), LAMMPS data (.data, .lmp) "
    "or label file (.h5)"
)


@dataclass(frozen=True)
class Frame:
    """One structure as it is in its file: positions (N, 3), cell (3, 3) rows, kinds (N,), label (N,) or None.

    kinds: type ids from 1, or names of species. known: names of the labels in the file, for messages. partial: in files
    of this format, some atoms may lack a label (NaN).
    """

    positions: np.ndarray
    cell: np.ndarray
    kinds: np.ndarray
    label: np.ndarray | None
    known: tuple[str, ...]
    partial: bool = False


Reader = Callable[[Path, str | None, Sequence[str]], Iterator[Frame]]


def read_frames(path: Path, label: str | None, species: Sequence[str]) -> Iterator[Frame]:
    """All structures of a file. label: name of the column to read. species: names of the types of a LAMMPS data file.

    Raises VitrifyError for a file that is missing, damaged, a pickle, or of an unknown format.
    """
    if path.is_dir():
        raise VitrifyError(f"{path} is a folder: give the files in it")
    if not path.is_file():
        raise VitrifyError(f"there is no file {path}: give a file with structures, {_FORMATS}")
    _refuse_pickle(path)
    reader = _reader(path)
    if reader is None:
        raise VitrifyError(f"the format of {path} is unknown: give {_FORMATS}")
    return reader(path, label, species)


def _reader(path: Path) -> Reader | None:
    """The reader for a suffix, or for a prefix that LAMMPS users give to their files: dump.glass, data.glass."""
    suffix, prefix = path.suffix.lower(), path.name.partition(".")[0].lower()
    return _BY_SUFFIX.get(suffix) or {"dump": _dump, "data": _data}.get(prefix)


def _refuse_pickle(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(1)
    # 0x80 opens every pickle of protocol 2 and later, under whatever name.
    if start == b"\x80" or path.suffix.lower() in _PICKLES:
        raise VitrifyError(
            f"{path} is a pickle, which could run any program, and a pickle is refused: "
            "store plain arrays with numpy.savez (positions, box or cell, types, and the label)"
        )


def _npz(path: Path, label: str | None, species: Sequence[str]) -> Iterator[Frame]:
    """The arrays positions (N, 3), box (3,) or cell (3, 3), types (N,) (ids from 1, or names), and the label (N,)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            names = tuple(file.files)
            cell = next((name for name in ("cell", "box") if name in names), "cell")
            wanted = ["positions", cell, "types", *([label] if label in names else [])]
            missing = [name for name in wanted if name not in names]
            if missing:
                what = "cell (or box)" if missing[0] == "cell" else missing[0]
                raise VitrifyError(
                    f"{path} has no array {what}, only {', '.join(names)}: "
                    "store positions (N, 3), box (3,) or cell (3, 3), and types (N,) counted from 1"
                )
            arrays = {name: file[name] for name in wanted if name is not None}
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        if isinstance(error, VitrifyError):
            raise
        if "pickle" in str(error):
            raise VitrifyError(
                f"{path} holds Python objects, which only a pickle stores, and a pickle is refused: "
                "store arrays of numbers or of fixed-width text"
            ) from None
        raise VitrifyError(f"{path} is no npz file, or a damaged one ({error}): copy or write it again") from None
    box = np.asarray(arrays[cell])
    others = tuple(name for name in names if name not in ("positions", "cell", "box", "types"))
    yield Frame(
        positions=arrays["positions"],
        cell=np.diag(box) if box.shape == (3,) else box,
        kinds=arrays["types"],
        label=arrays.get(label) if label else None,
        known=others,
    )


def _extxyz(path: Path, label: str | None, species: Sequence[str]) -> Iterator[Frame]:
    """Every frame; the label is a column of the file, which ASE may have read as an array or as a result."""
    import ase.io
    from ase.data import chemical_symbols

    try:
        for atoms in ase.io.iread(path, index=":", format="extxyz"):
            if not atoms.pbc.all():
                raise VitrifyError(f"{path} is not periodic (pbc {atoms.pbc.tolist()}): give a periodic structure")
            results = atoms.calc.results if atoms.calc is not None else {}
            columns = {**results, **atoms.arrays}
            yield Frame(
                positions=atoms.positions,
                cell=np.asarray(atoms.cell[:]),
                kinds=np.array(chemical_symbols)[atoms.numbers],
                label=columns.get(label) if label else None,
                known=_per_atom(columns, len(atoms)),
            )
    except VitrifyError:
        raise
    # ASE raises KeyError for symbols that are no elements, and many other kinds for damaged files.
    except Exception as error:
        raise VitrifyError(
            f"{path} cannot be read as extended XYZ ({type(error).__name__}: {error}): write it again; "
            "species that are no elements need an npz or a dump file"
        ) from None


def _per_atom(columns: Mapping[str, Any], n: int) -> tuple[str, ...]:
    own = ("numbers", "positions")
    return tuple(name for name, values in columns.items() if name not in own and np.shape(values) == (n,))


def _dump(path: Path, label: str | None, species: Sequence[str]) -> Iterator[Frame]:
    """Every frame of a text dump with the columns id, type or element, x y z (also xu, xs, xsu) and the label.

    ASE's reader drops columns that LAMMPS users have renamed (dump_modify colname), and species that are no elements.
    """
    try:
        with path.open() as file:
            while True:
                frame = _dump_frame(path, file, label)
                if frame is None:
                    return
                yield frame
    except UnicodeDecodeError:
        raise VitrifyError(f"{path} is no text: give a dump of style custom, not a binary or packed one") from None


def _dump_frame(path: Path, file: TextIO, label: str | None) -> Frame | None:
    """The next frame, or None at the end of the file."""
    number, box, flags = -1, np.zeros((0, 0)), [""]
    while line := file.readline():
        if line.startswith("ITEM: ATOMS"):
            if number < 0 or not box.size:
                raise VitrifyError(f"{path} has atoms before their number and box: give a whole LAMMPS dump")
            return _dump_atoms(path, line.split()[2:], list(islice(file, number)), number, box, flags, label)
        try:
            if line.startswith("ITEM: NUMBER OF ATOMS"):
                number = int(file.readline())
            elif line.startswith("ITEM: BOX BOUNDS"):
                flags = line.split()[3:]
                box = np.array([[float(bound) for bound in file.readline().split()] for _ in range(3)])
        except ValueError as error:
            raise VitrifyError(f"{path} is damaged after {line.strip()!r} ({error}): write it again") from None
        if number < 0 and not line.startswith("ITEM:") and not line.strip().isdigit():
            found = line.strip()[:40]
            raise VitrifyError(f"{path} is no LAMMPS text dump (found {found!r}): dump it with style custom")
    if number >= 0:
        raise VitrifyError(f"{path} ends within a frame: it is truncated, write it again")
    return None


def _dump_atoms(
    path: Path, columns: list[str], rows: list[str], number: int, box: np.ndarray, flags: list[str], label: str | None
) -> Frame:
    place = next((names for names in _POSITIONS if set(names) <= set(columns)), None)
    kind = "element" if "element" in columns else "type"
    missing = [name for name in ("id", kind) if name not in columns] + ([] if place else ["x y z"])
    if place is None or missing:
        raise VitrifyError(
            f"{path} has the columns {' '.join(columns)}, and lacks {', '.join(missing)}: "
            "dump id, type (or element), x y z, and the label"
        )
    if len(rows) != number:
        raise VitrifyError(f"{path} has {len(rows)} of the {number} atoms of its last frame: it is truncated")
    boundaries = [flag for flag in flags if set(flag) <= set("pfsm")]
    if set(boundaries) - {"pp"}:
        raise VitrifyError(f"{path} has the boundaries {' '.join(boundaries)}: give a periodic structure (pp pp pp)")
    wanted = ["id", kind, *place, *([label] if label in columns and label is not None else [])]
    layout = [("id", "i8"), ("kind", "U32"), *((f"value{i}", "f8") for i in range(len(wanted) - 2))]
    try:
        table = np.loadtxt(rows, dtype=layout, usecols=[columns.index(name) for name in wanted], comments=None, ndmin=1)
    except ValueError as error:
        raise VitrifyError(f"{path} holds an atom that cannot be read ({error}): write it again") from None
    table = np.sort(table, order="id")
    if len(np.unique(table["id"])) != number:
        raise VitrifyError(f"{path} holds an atom id twice: dump every atom once")
    cell, origin = _dump_cell(box, flags)
    positions = np.stack([table[f"value{i}"] for i in range(3)], axis=1)
    kinds = table["kind"]
    return Frame(
        positions=positions @ cell + origin if place[0].startswith("xs") else positions,
        cell=cell,
        kinds=kinds.astype(np.int64) if kind == "type" and np.char.isdigit(kinds).all() else kinds,
        label=table["value3"] if len(wanted) > 5 else None,
        known=tuple(name for name in columns if name not in ("id", kind, *place)),
    )


def _dump_cell(box: np.ndarray, flags: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Cell vectors (rows) and origin from BOX BOUNDS: orthogonal, restricted or general triclinic."""
    if flags[:1] == ["abc"]:
        return box[:, :3], box[:, 3]
    from ase.io.lammpsrun import construct_cell

    tilts = box[:, 2] if box.shape[1] > 2 else np.zeros(3)
    cell, origin = construct_cell(box[:, :2].flatten(), tilts)  # type: ignore[no-untyped-call]
    return cell, origin


def _data(path: Path, label: str | None, species: Sequence[str]) -> Iterator[Frame]:
    """A LAMMPS data file. It has no labels; a text file beside it has them.

    The labels of glass.data are in glass.LABEL.csv, one line "id,value" for each atom, with or without a header.
    """
    from ase.io.lammpsdata import read_lammps_data

    names = _type_labels(path)
    try:
        # A number for each type, since type labels need not be elements.
        atoms = read_lammps_data(path, Z_of_type={t: t for t in range(1, 100)})
    except Exception as error:  # ASE raises many kinds for damaged files
        raise VitrifyError(
            f"{path} cannot be read as a LAMMPS data file ({type(error).__name__}: {error}): "
            "write it with write_data, in atom_style atomic or charge"
        ) from None
    types = np.asarray(atoms.arrays["type"])
    unnamed = [int(t) for t in np.unique(types) if names and t not in names]
    if unnamed:
        raise VitrifyError(f"{path} has no type label for the type {unnamed[0]}: write it with write_data")
    yield Frame(
        positions=atoms.positions,
        cell=np.asarray(atoms.cell[:]),
        kinds=np.array([names[int(t)] for t in types]) if names else types,
        label=_companion(path, label, np.asarray(atoms.arrays["id"])) if label else None,
        known=(),
    )


def _type_labels(path: Path) -> dict[int, str]:
    """The species of each type in the section "Atom Type Labels"; empty if there is none."""
    try:
        lines = [line.partition("#")[0].split() for line in path.read_text().splitlines()]
    except UnicodeDecodeError:
        raise VitrifyError(f"{path} is no text: give a LAMMPS data file (write_data)") from None
    if ["Atom", "Type", "Labels"] not in lines:
        return {}
    found = {}
    for columns in lines[lines.index(["Atom", "Type", "Labels"]) + 1 :]:
        if columns and not (len(columns) == 2 and columns[0].isdigit()):
            break
        if columns:
            found[int(columns[0])] = columns[1]
    return found


def _companion(path: Path, label: str, ids: np.ndarray) -> np.ndarray:
    """The labels of the atoms `ids` (N,), in their order, from the text file beside a LAMMPS data file."""
    beside = path.with_name(f"{path.name.removesuffix('.data').removesuffix('.lmp')}.{label}.csv")
    if not beside.is_file():
        raise VitrifyError(
            f"a LAMMPS data file has no labels, and there is no {beside} beside {path}: "
            "write one line for each atom there, id,value"
        )
    found: dict[int, float] = {}
    for number, line in enumerate(beside.read_text().splitlines()):
        columns = line.replace(",", " ").split()
        try:
            if columns and int(columns[0]) in found:
                raise VitrifyError(f"{beside} has the atom {columns[0]} twice: give one value for each")
            if columns:
                found[int(columns[0])] = float(columns[1])
        except (ValueError, IndexError) as error:
            if isinstance(error, VitrifyError):
                raise
            if number:  # the first line may be a header
                raise VitrifyError(f"{beside} has the line {line!r}: give id,value") from None
    if len(found) != len(ids) or not all(int(i) in found for i in ids):
        raise VitrifyError(
            f"{beside} has values for {len(found)} atoms, {path.name} has {len(ids)} atoms: "
            "give one line for each id (the value nan where there is none)"
        )
    return np.array([found[int(i)] for i in ids])


def _labels(path: Path, label: str | None, species: Sequence[str]) -> Iterator[Frame]:
    """A label file; atoms without a search have no label."""
    with LabelFile(path) as file:
        structure, known = file.structure, file.label_names
        yield Frame(
            positions=structure.positions,
            cell=structure.cell,
            kinds=np.array(structure.species)[structure.types],
            label=file.labels()[label] if label in known else None,
            known=known,
            partial=True,
        )


_BY_SUFFIX: dict[str, Reader] = {
    ".npz": _npz,
    ".extxyz": _extxyz,
    ".xyz": _extxyz,
    ".lammpstrj": _dump,
    ".dump": _dump,
    ".data": _data,
    ".lmp": _data,
    ".h5": _labels,
}
