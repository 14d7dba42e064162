"""Files of many forms, read as LAMMPS reads them: made by LAMMPS, by ASE, and by hand from the formats' manuals."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms

from structure_files.by_hand import BY_HAND
from structure_files.by_lammps import DUMPS, STYLES, name_of, truth, write_all
from vitrify.data.structures import LabelledStructure, load_structures

NAMES = ("Si", "O")
TIGHT = 1e-10


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forms")
    write_all(folder)
    return folder


def assert_same(got: LabelledStructure, wanted: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """Equal to 1e-10, up to a turn of the whole and to atoms that LAMMPS has wrapped into the box."""
    cell, types, positions = wanted
    np.testing.assert_allclose(got.cell @ got.cell.T, cell @ cell.T, rtol=TIGHT)
    np.testing.assert_array_equal(got.types + 1, types)
    shift = got.positions @ np.linalg.inv(got.cell) - positions @ np.linalg.inv(cell)
    np.testing.assert_allclose(shift, np.round(shift), atol=TIGHT)


@pytest.mark.lmp
@pytest.mark.parametrize("style", STYLES)
def test_every_atom_style(made: Path, style: str) -> None:
    (got,) = load_structures(made / f"{name_of(style)}.data", ("A", "B"))
    assert len(got) == 3
    assert_same(got, truth(made / f"{name_of(style)}.truth"))


@pytest.mark.lmp
@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.filterwarnings("ignore::vitrify.core.errors.VitrifyWarning")
def test_data_files_by_hand(made: Path, name: str) -> None:
    (got,) = load_structures(made / f"{name}.data", NAMES)
    assert_same(got, truth(made / f"{name}.truth"))


@pytest.mark.lmp
@pytest.mark.parametrize("name", DUMPS)
@pytest.mark.filterwarnings("ignore::vitrify.core.errors.VitrifyWarning")
def test_dumps(made: Path, name: str) -> None:
    path = made / f"{name}.dump"
    frames = load_structures(path if path.exists() else made / f"{name}.dump.gz", NAMES)
    assert [frame.name for frame in frames] == [f"{name}:{number}" for number in range(3)]
    assert_same(frames[-1], truth(made / f"{name}.truth"))
    assert np.abs(frames[0].positions - frames[2].positions).max() > 1e-4


def _extxyz(comment: str, rows: list[str]) -> str:
    return f"{len(rows)}\n{comment}\n" + "\n".join(rows) + "\n"


def _lattice(cell: np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in cell.ravel())


def _words(atoms: Atoms, *behind: str) -> list[str]:
    return [
        " ".join([symbol, *(repr(float(x)) for x in position), *behind])
        for symbol, position in zip(atoms.symbols, atoms.positions, strict=True)
    ]


def _ovito(path: Path, atoms: Atoms) -> None:
    rows = [f"{number} {row} 0.5" for number, row in enumerate(_words(atoms), 1)]
    lattice = f'Lattice="{_lattice(atoms.cell[:])}" Origin="0 0 0"'
    properties = "Properties=id:I:1:species:S:1:pos:R:3:Charge:R:1"
    path.write_text(_extxyz(f'{lattice} {properties} Timestep=0 pbc="T T T"', rows))


def _quip(path: Path, atoms: Atoms) -> None:
    comment = f'config_type=glass virial="1 0 0 0 2 0 0 0 3" Lattice="{_lattice(atoms.cell[:])}" '
    comment += "Properties=species:S:1:pos:R:3:Z:I:1:map_shift:I:3 cutoff=-1.00 nneightol=1.2 pbc=[T, T, T]"
    path.write_bytes(b"\xef\xbb\xbf" + _extxyz(comment, _words(atoms, "14", "0", "0", "0")).encode())


def _gpumd(path: Path, atoms: Atoms) -> None:
    comment = f'energy=-1.5 lattice="{_lattice(atoms.cell[:])}" properties=species:S:1:pos:R:3:force:R:3'
    path.write_text(_extxyz(comment, _words(atoms, "0.1", "0.2", "0.3")).replace("\n", "\r\n"))


def _by_numbers(path: Path, atoms: Atoms) -> None:
    rows = [f"{z} {row.partition(' ')[2]}" for z, row in zip(atoms.numbers, _words(atoms), strict=True)]
    path.write_bytes(
        gzip.compress(_extxyz(f'Lattice="{_lattice(atoms.cell[:])}" Properties=Z:I:1:pos:R:3', rows).encode())
    )


def _poscar(path: Path, atoms: Atoms) -> None:
    fractions = atoms.get_scaled_positions(wrap=False)
    cell = "\n".join(" ".join(repr(float(value) / 2) for value in row) for row in atoms.cell[:])
    rows = "\n".join(" ".join(f"{x:.17g}" for x in row) + " T T F" for row in fractions)
    path.write_text(
        f"SiO2 glass\n 2.0\n{cell}\n Si O\n 1 2\nSelective dynamics\nDirect\n{rows}\n\n0 0 0\n0 0 0\n0 0 0\n"
    )


def _h5md(path: Path, atoms: Atoms) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("particles/all")
        box = group.create_group("box")
        box.attrs["dimension"], box.attrs["boundary"] = 3, ["periodic"] * 3
        box["edges/value"] = atoms.cell[:][None]
        group["position/value"] = atoms.positions[None]
        names = h5py.enum_dtype({"O": 8, "Si": 14}, basetype="i1")
        group.create_dataset("species", data=atoms.numbers.astype("i1"), dtype=names)


def _npz(path: Path, atoms: Atoms) -> None:
    np.savez_compressed(path, positions=atoms.positions, cell=atoms.cell[:], types=np.array(atoms.symbols))


def _ase(form: str, **options: object) -> Callable[[Path, Atoms], None]:
    return lambda path, atoms: ase.io.write(path, atoms, format=form, **options)


OTHERS: dict[str, tuple[str, Callable[[Path, Atoms], None]]] = {
    "ovito": ("glass.xyz", _ovito),
    "quip": ("glass.extxyz", _quip),
    "gpumd": ("train.xyz", _gpumd),
    "numbers": ("glass.extxyz.gz", _by_numbers),
    "by_looks": ("glass.txt", _ovito),
    "npz": ("glass.npz", _npz),
    "h5md": ("glass.h5", _h5md),
    "poscar": ("POSCAR", _poscar),
    "contcar": ("CONTCAR_3", _ase("vasp", direct=True)),
    "cartesian": ("glass.vasp", _ase("vasp", vasp5=True)),
    "traj": ("glass.traj", _ase("traj")),
    "xsf": ("glass.xsf", _ase("xsf")),
    "gen": ("glass.gen", _ase("gen")),
    "extxyz": ("made.extxyz", _ase("extxyz")),
    "lammps": ("made.lmp", _ase("lammps-data", specorder=["Si", "O"], masses=True)),
    "castep": ("glass.cell", _ase("castep-cell", positions_frac=True, precision=14)),
    "json": ("glass.json", _ase("json")),
}  # fmt: skip


@pytest.mark.lmp
@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.filterwarnings("ignore::vitrify.core.errors.VitrifyWarning")
def test_other_forms(made: Path, name: str, tmp_path: Path) -> None:
    """Of a structure that LAMMPS has, its numbers rounded to those that each format can hold."""
    cell, types, positions = truth(made / "tilted.truth")
    cell, positions = np.round(cell, 6), np.round(positions, 6)
    atoms = Atoms([NAMES[t - 1] for t in types], positions=positions, cell=cell, pbc=True)
    file, write = OTHERS[name]
    write(tmp_path / file, atoms)
    (got,) = load_structures(tmp_path / file, NAMES)
    assert_same(got, (cell, types, positions))
