"""Files that cannot be read: one line that names the file, the line and the remedy; nothing hangs."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from vitrify.core.errors import VitrifyError
from vitrify.data.label_files import LabelFile, Structure, write_label_file
from vitrify.data.structures import load_structures
from vitrify.data.trajectories import Trajectory, TrajectoryFile, TrajectoryMeta, TrajectoryWriter

SPECIES = ("Si", "O")
BOX = "0 9 xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n"
MASSES = "Masses\n\n1 28.0855\n2 15.999\n\n"
DATA = f"t\n\n2 atoms\n2 atom types\n{BOX}\n{MASSES}Atoms # atomic\n\n1 1 1 2 3\n2 2 4 5 6\n"
DUMP = (
    "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 9\n0 9\n0 9\n"
    "ITEM: ATOMS id type x y z\n1 1 1 2 3\n2 2 4 5 6\n"
)
XYZ = '2\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3\nSi 1 2 3\nO 4 5 6\n'
HUGE = "1" + "0" * 30


def refusal(path: Path, species: tuple[str, ...] = SPECIES) -> str:
    """The one line that says why a file is refused."""
    with pytest.raises(VitrifyError) as caught:
        load_structures(path, species)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(str(path)), text
    assert "than it seems" not in text, "no reader expected this"
    return text


# name of the file, its content, and what the line says
TEXTS: dict[str, tuple[str, str | bytes, str]] = {
    "count": ("a.data", DATA.replace("2 atoms", f"{HUGE} atoms"), "line 3: .* is no number of atoms"),
    "many": ("a.data", DATA.replace("2 atoms", "99999999999 atoms"), "2 of the 99999999999 atoms of the header"),
    "few": ("a.data", DATA.replace("2 atoms", "1 atoms"), "line 17: the header says 1 atoms, and here is another row"),
    "no count": ("a.data", DATA.replace("2 atoms\n", ""), "line 13: the header has no line such as '100 atoms'"),
    "no box": ("a.data", DATA.replace("0 9 ylo yhi\n", ""), "no line 'ylo yhi'"),
    "turned box": ("a.data", DATA.replace("0 9 ylo", "9 0 ylo"), "the box has no volume"),
    "header": ("a.data", DATA.replace("2 atom types", "two atom types"), "line 4: 'two atom types' is no line of"),
    "no rows": ("a.data", DATA.partition("1 1 1 2 3")[0], "has 0 of the 2 atoms"),
    "type": ("a.data", DATA.replace("2 2 4 5 6", "2 3 4 5 6"), "line 17: an atom has the type 3, but .* 2 atom types"),
    "word": ("a.data", DATA.replace("2 2 4 5 6", "2 2 4 five 6"), "line 17: y is 'five', but must be a number"),
    "digits": ("a.data", DATA.replace("2 2 4 5 6", f"2 {HUGE} 4 5 6"), "line 17: the type is '1000.*an integer"),
    "columns": ("a.data", DATA.replace("2 2 4 5 6", "2 2 4 5"), "line 17: the atom has 4 columns, but its style"),
    "id twice": ("a.data", DATA.replace("2 2 4 5 6", "1 2 4 5 6"), "an id twice"),
    "style": ("a.data", DATA.replace("Atoms # atomic", "Atoms").replace("1 1 1 2 3", "1 1 1"), "names no atom style"),
    "two sections": ("a.data", DATA + "\nAtoms\n\n1 1 1 2 3\n2 2 4 5 6\n", "line 19: the section Atoms is there twice"),
    "labels": ("a.data", DATA.replace("Masses", "Atom Type Labels\n\n\xb2 Si\n2 O\n\nMasses"), "the type is '\xb2'"),
    "unlabelled": ("a.data", DATA.replace("Masses", "Atom Type Labels\n\n2 O\n\nMasses"), "an atom has the type '1'"),
    "units": ("a.data", DATA.replace("t\n", "t, units = electron\n", 1), "lengths in Bohr radii: write it in"),
    "UTF-16": ("a.data", DATA.encode("utf-16"), "it is UTF-16: save it as UTF-8"),
    "binary": ("a.data", b"\0\1\2" * 99, "it is binary: write it as text"),
    "dump as data": ("data.glass", "ITEM : no", "no section Atoms"),
    "dump count": ("a.dump", DUMP.replace("\n2\n", f"\n{HUGE}\n"), f"frame 1 has 2 of its {HUGE} atoms"),
    "minus": ("a.dump", DUMP.replace("\n2\n", "\n-2\n"), "line 4: ITEM: NUMBER OF ATOMS is '-2'"),
    "box of one": ("a.dump", DUMP.replace("0 9", "9"), "line 8: ITEM: BOX BOUNDS pp pp pp is '9 9 9'"),
    "box of abc": ("a.dump", DUMP.replace("pp pp pp", "abc origin pp pp pp"), "2 numbers in a line, but must have 4"),
    "tilt": ("a.dump", DUMP.replace("pp pp pp", "xy xz yz pp pp pp"), "has 2 numbers in a line, but must have 3"),
    "long type": ("a.dump", DUMP.replace("2 2 4", f"2 {HUGE[:23]} 4"), "the type '1000.*neither an id from 1 nor"),
    "second frame": ("a.dump", DUMP + DUMP[: -len("2 2 4 5 6\n")], "line 21: frame 2 has 1 of its 2 atoms"),
    "half header": ("a.dump", DUMP + "ITEM: TIMESTEP\n", "ends within a frame: it is truncated"),
    "rubbish": ("a.dump", DUMP + "once\n", "line 12: found 'once' where an ITEM should be"),
    "local": ("a.dump", DUMP.replace("NUMBER OF ATOMS", "NUMBER OF ENTRIES"), "number of entries in place of atoms"),
    "open box": ("a.dump", DUMP.replace("pp pp pp", "pp fs pp"), r"not periodic .*pbc T F T"),
    "lj": ("a.dump", "ITEM: UNITS\nnano\n" + DUMP, "units nano, with lengths in nm"),
    "xyz count": ("a.extxyz", XYZ.replace("2\n", "99999999999\n", 1), "line 4: .* after 2 of the 99999999999 atoms"),
    "xyz digits": ("a.extxyz", XYZ.replace("2\n", f"{HUGE}\n", 1), "line 1: found '1000.*number of atoms"),
    "xyz word": ("a.extxyz", XYZ.replace("4 5", "4 x5"), r"line 4: column 3 \(pos\) is 'x5', but must be a number"),
    "xyz row": ("a.extxyz", XYZ.replace("O 4 5 6", "O 4 5"), r"line 4: the row has 3 columns, and no column 4 \(pos\)"),
    "xyz last": ("a.extxyz", XYZ + "2\n", "line 5: the file ends behind a number of atoms"),
    "xyz second": ("a.extxyz", XYZ + XYZ[:-8], "line 7: .*1 of the 2 atoms of the frame that begins in line 5"),
    "properties": ("a.extxyz", XYZ.replace("pos:R:3", "pos:R:three"), "line 2: Properties='species.*is no list of"),
    "no positions": ("a.extxyz", XYZ.replace("pos:R:3", "force:R:3"), "line 2: the columns are species, force"),
    "lattice": ("a.extxyz", XYZ.replace("9 0 0 0 9 0", "9 0 0"), "line 2: Lattice is .*, but must be nine numbers"),
    "deep": ("a.extxyz", XYZ.replace("Prop", 'v="_JSON ' + "[" * 30000 + '" Prop'), "line 2: the keys and values"),
    "plain xyz": ("a.xyz", "1\n i = 0, time = 0.000, E = -1.2\nSi 1 2 3\n", "has no cell: write it, in extended XYZ"),
    "open xyz": ("a.extxyz", XYZ.replace(" Prop", ' pbc="T F F" Prop'), r"pbc T F F"),
    "not a number": ("a.extxyz", XYZ.replace("4 5 6", "4 nan 6"), "the positions of atom 1 are"),
    "nothing": ("a.extxyz", "\n\n", "holds no structure"),
    "empty": ("a.dump", "", "is empty"),
    "gzip": ("a.dump.gz", gzip.compress(DUMP.encode())[:-12], "is cut off or damaged"),
    "bzip2": ("a.dump.bz2", bz2.compress(DUMP.encode())[:-12], "is cut off or damaged"),
    "xz": ("a.dump.xz", b"\xfd7zXZ\0rest", "packed by xz: unpack it"),
    "bomb": ("a.data.gz", gzip.compress(b"t" * (1 << 27)), "unpacks to more than 100 times its size"),
    "pickle": ("a.data", b"\x80\x04rest", "a pickle is refused"),
    "npz": ("a.npz", b"PK\x03\x04rest", "no npz file, or a damaged one"),
    "hdf5": ("a.h5", b"\x89HDF\r\n\x1a\nrest", "is damaged, or holds something else"),
    "no hdf5": ("a.h5", "text", "is damaged, or holds something else"),
    "cif": ("a.cif", "data_x\n_cell_length_a abc\nloop_\n", "holds no structure"),
    "poscar": ("POSCAR", "t\n1.0\n9 0 0\n0 9 0\n0 0 9\nSi\n99999999999\nDirect\n0 0 0\n", "too much|damaged"),
    "unknown": ("a.txt", "once upon a time\n", "in no format that is read here"),
}  # fmt: skip


@pytest.mark.parametrize("case", TEXTS)
def test_refused_with_the_place_and_the_remedy(case: str, tmp_path: Path) -> None:
    name, content, message = TEXTS[case]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert re.search(message, refusal(path)), refusal(path)


def _header_of(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _npz(path: Path, content: bytes, packing: int = zipfile.ZIP_STORED) -> None:
    np.savez(path, cell=np.eye(3), types=np.ones(2, int))
    with zipfile.ZipFile(path, "a", packing) as file:
        file.writestr("positions.npy", content)


def _claim(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("particles/all")
        group.create_group("box")["edges"] = np.eye(3)
        group["box"].attrs["boundary"] = ["periodic"] * 3
        group["species"] = np.ones(2, int)
        group.create_dataset("position/value", (10**6, 10**6, 3), "f8", chunks=(1, 100, 3))


def _loop(path: Path) -> None:
    path.symlink_to(path)


MADE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "200 TB": ("a.npz", lambda p: _npz(p, _header_of((10**13, 3))), "which is more than it holds"),
    "negative": ("a.npz", lambda p: _npz(p, _header_of((-2, 3))), "no npz file, or a damaged one"),
    "zip bomb": (
        "a.npz",
        lambda p: _npz(p, _header_of((1 << 23, 3)) + bytes(3 << 26), zipfile.ZIP_DEFLATED),
        "the array positions would take",
    ),
    "HDF5 claim": ("a.h5", _claim, r"has the shape \(1000000, 1000000, 3\)"),
    "circle": ("a.data", _loop, "symbolic links"),
    "pipe": ("a.data", os.mkfifo, "no ordinary file"),
    "folder": ("a.data", Path.mkdir, "a folder without a file that can be read"),
    "long name": ("a" * 300, lambda p: None, "File name too long"),
    "missing": ("a.data", lambda p: None, "give a file with structures"),
}


@pytest.mark.parametrize("case", MADE)
def test_refused_before_memory_is_taken(case: str, tmp_path: Path) -> None:
    name, make, message = MADE[case]
    make(tmp_path / name)
    with pytest.raises(VitrifyError, match=message) as caught:
        load_structures(tmp_path / name, SPECIES)
    assert name in str(caught.value) and "\n" not in str(caught.value)


META = TrajectoryMeta("s", "metal", ("Si", "O"), (28.0, 16.0), 1.0, 1.0, 1, {}, 1, {})
ARRAYS = Trajectory(np.zeros((3, 2, 3)), np.zeros((3, 2, 3)), np.eye(3), np.array([0, 1]), *np.zeros((4, 3)))


def _changed(key: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file.attrs["vitrify"] = json.dumps({**json.loads(file.attrs["vitrify"]), key: value})

    return change


def _replaced(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        if value is not None:
            file[name] = value

    return change


def _deep(file: h5py.File) -> None:
    file.attrs["vitrify"] = "[" * 20000


TRAJECTORIES: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "deep": (_deep, "settings that this version"),
    "species": (_changed("species", [1, 2]), "the species .* are no names"),
    "no list": (_changed("species", 7), "settings that this version"),
    "masses": (_changed("masses", ["a", "b"]), "are no positive numbers"),
    "one mass": (_changed("masses", [1.0]), "1 masses are given for 2 species"),
    "timestep": (_changed("base_timestep", "soon"), "base_timestep is 'soon'"),
    "interval": (_changed("frame_interval", 0), "frame_interval is 0"),
    "unknown": (_changed("colour", "red"), "settings that this version"),
    "no velocities": (_replaced("particles/traj_0000/velocity", None), "has no dataset .*velocity/value"),
    "types": (_replaced("particles/traj_0000/species", [1, 3]), "types beyond its 2 species"),
    "cell": (_replaced("particles/traj_0000/box/edges", np.eye(2)), r"cell has the shape \(2, 2\), not \(3, 3\)"),
    "text": (_replaced("particles/traj_0000/box/edges", "cube"), "is damaged, or holds something else"),
    "NaN": (_replaced("particles/traj_0000/velocity/value", np.full((3, 2, 3), np.nan)), "values that are no numbers"),
}


@pytest.mark.parametrize("case", TRAJECTORIES)
def test_trajectories_that_make_no_sense(case: str, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    with TrajectoryWriter(path, META) as writer:
        writer.append(ARRAYS)
    change, message = TRAJECTORIES[case]
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(VitrifyError, match=message) as caught, TrajectoryFile(path) as opened:
        opened.load(0)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_deep, "settings that are no JSON"),
        (_replaced("structure/types", [1, 7]), "types beyond its species"),
        (_replaced("structure/cell", np.eye(2)), "2 types for positions"),
        (_replaced("structure/positions", None), "no dataset /structure/positions"),
        (_replaced("labels", 5), "is damaged, or holds something else"),
    ],
)
def test_label_files_that_make_no_sense(change: Callable[[h5py.File], None], message: str, tmp_path: Path) -> None:
    path = tmp_path / "l.h5"
    write_label_file(path, {}, Structure(np.zeros((2, 3)), np.eye(3), np.array([0, 1]), SPECIES), [])
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(VitrifyError, match=message), LabelFile(path) as opened:
        assert opened.structure and opened.labels()
