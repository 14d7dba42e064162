"""Labelled structures: what a file says is what is read, and what makes no sense is refused; splits do not leak."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from lammps_runner import run_ok
from vitrify.core.errors import VitrifyError
from vitrify.data.splits import duplicate_groups, leave_one_group_out
from vitrify.data.structures import LabelledStructure, load_structures

SPECIES = ("Cu", "Zr")
TRICLINIC = np.array([[9.0, 0.0, 0.0], [2.0, 8.0, 0.0], [-1.5, 1.0, 7.0]])


def sample(n: int = 40, cell: Any = TRICLINIC, seed: int = 0) -> LabelledStructure:
    rng = np.random.default_rng(seed)
    box = np.asarray(cell, np.float64)
    return LabelledStructure("sample", rng.random((n, 3)) @ box, box, rng.integers(0, 2, n), rng.gamma(3.0, size=n))


def write_npz(path: Path, s: LabelledStructure, **changes: Any) -> Path:
    arrays = {"positions": s.positions, "cell": s.cell, "types": s.types + 1, "barrier": s.labels, **changes}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def ase_atoms(s: LabelledStructure) -> Atoms:
    atoms = Atoms([SPECIES[t] for t in s.types], positions=s.positions, cell=s.cell, pbc=True)
    atoms.arrays["barrier"] = s.labels
    return atoms


def same(got: LabelledStructure, expected: LabelledStructure, tolerance: float = 1e-7) -> bool:
    """Equal up to the place of the origin."""
    shift = got.positions - expected.positions
    return (
        np.allclose(shift, shift[0], atol=tolerance)
        and np.allclose(got.cell, expected.cell, atol=tolerance)
        and np.array_equal(got.types, expected.types)
        and np.allclose(got.labels, expected.labels, atol=tolerance, equal_nan=True)
    )


def test_npz(tmp_path: Path) -> None:
    s = sample()
    (got,) = load_structures(write_npz(tmp_path / "glass.npz", s), SPECIES, "barrier")
    assert got.name == "glass" and same(got, s)
    assert got.positions.dtype == got.labels.dtype == np.float64 and got.types.dtype == np.int64
    box = np.array([9.0, 8.0, 7.0])
    names = np.array(SPECIES)[s.types]
    write_npz(tmp_path / "named.npz", s, cell=None, box=box.astype(np.float32), types=names)
    (got,) = load_structures(tmp_path / "named.npz", ["Zr", "Cu"], "barrier")
    assert np.array_equal(got.cell, np.diag(box)) and np.array_equal(got.types, 1 - s.types)
    (got,) = load_structures(tmp_path / "named.npz", SPECIES)
    assert np.isnan(got.labels).all() and not got.labelled.any()


def test_extended_xyz(tmp_path: Path) -> None:
    """Every frame is a structure; labels whose name ASE takes for a result of a calculator are found too."""
    frames = [sample(20, seed=1), sample(30, np.diag([8.0, 9.0, 10.0]), seed=2)]
    ase.io.write(tmp_path / "two.extxyz", [ase_atoms(s) for s in frames], format="extxyz")
    got = load_structures(tmp_path / "two.extxyz", SPECIES, "barrier")
    assert [s.name for s in got] == ["two:0", "two:1"]
    assert all(same(*pair) for pair in zip(got, frames, strict=True))
    text = (tmp_path / "two.extxyz").read_text().replace("barrier:R", "energies:R")
    (tmp_path / "energies.xyz").write_text(text)
    assert same(load_structures(tmp_path / "energies.xyz", SPECIES, "energies")[1], frames[1])


@pytest.mark.parametrize("columns", ["x y z", "xu yu zu", "xs ys zs"])
@pytest.mark.parametrize("kind", ["type", "element"])
def test_dumps_of_lammps(columns: str, kind: str, tmp_path: Path) -> None:
    """lmp itself writes two frames of a triclinic cell, in an order of its own, with the label as a column."""
    s = sample()
    ase.io.write(tmp_path / "start.data", ase_atoms(s), format="lammps-data", specorder=list(SPECIES), masses=True)
    script = f"""
        units metal
        atom_modify map array
        read_data start.data
        pair_style zero 3.0
        pair_coeff * *
        variable eb atom 0.25*id
        dump 1 all custom 1 run.lammpstrj {kind} {columns} v_eb vx id
        dump_modify 1 element {" ".join(SPECIES)} format float %.15g colname v_eb barrier
        run 0
        displace_atoms all move 0.5 0 0
        run 1 pre no
    """
    run_ok("\n".join(line.strip() for line in script.splitlines()), tmp_path)
    got = load_structures(tmp_path / "run.lammpstrj", SPECIES, "barrier")
    expected = LabelledStructure("", s.positions, s.cell, s.types, 0.25 * np.arange(1, 41))
    assert [g.name for g in got] == ["run:0", "run:1"]
    for g in got:
        # LAMMPS has wrapped the atoms
        fractions = (g.positions - s.positions) @ np.linalg.inv(s.cell)
        fractions -= fractions[0]
        assert np.abs(fractions - np.round(fractions)).max() < 1e-7
        assert same(LabelledStructure("", s.positions, g.cell, g.types, g.labels), expected, 1e-7)


def test_names_that_are_no_elements(tmp_path: Path) -> None:
    s = sample(4, np.eye(3) * 5)
    rows = "".join(f"{i + 1} {'AB'[t]} {x} {y} {z} {label}\n" for i, (t, (x, y, z), label) in enumerate(
        zip(s.types, s.positions, s.labels, strict=True)))  # fmt: skip
    head = "ITEM: TIMESTEP\n7\nITEM: NUMBER OF ATOMS\n4\nITEM: BOX BOUNDS pp pp pp\n0 5\n0 5\n0 5\n"
    (tmp_path / "dump.kalj").write_text(head + "ITEM: ATOMS id element x y z c_p[1]\n" + rows)
    (got,) = load_structures(tmp_path / "dump.kalj", ["A", "B"], "c_p[1]")
    assert same(got, s)


@pytest.mark.parametrize("header", [True, False])
def test_data_files_with_labels_beside_them(header: bool, tmp_path: Path) -> None:
    s = sample()
    path = tmp_path / "glass.data"
    ase.io.write(path, ase_atoms(s), format="lammps-data", specorder=list(SPECIES), masses=True)
    order = np.random.default_rng(5).permutation(len(s))
    lines = ["id,barrier"] * header + [f"{i + 1},{float(s.labels[i])!r}" for i in order]
    (tmp_path / "glass.barrier.csv").write_text("\n".join(lines) + "\n")
    (got,) = load_structures(path, SPECIES, "barrier")
    assert same(got, s)
    text = path.read_text()
    (tmp_path / "glass.data").write_text(text.replace("Masses", "Atom Type Labels\n\n1 Zr\n2 Cu\n\nMasses"))
    (got,) = load_structures(path, SPECIES, "barrier")
    assert np.array_equal(got.types, 1 - s.types)  # the file knows better which type is which
    (tmp_path / "glass.barrier.csv").write_text("\n".join(lines[:-1]))
    with pytest.raises(VitrifyError, match=r"39 atoms, glass.data has 40"):
        load_structures(path, SPECIES, "barrier")
    (tmp_path / "glass.barrier.csv").unlink()
    with pytest.raises(VitrifyError, match=r"no .*glass.barrier.csv"):
        load_structures(path, SPECIES, "barrier")


def test_labels_of_other_species_are_dropped(tmp_path: Path) -> None:
    s = sample()
    partial = np.where(s.types == 1, np.nan, s.labels)
    path = write_npz(tmp_path / "a.npz", s, barrier=partial)
    (got,) = load_structures(path, SPECIES, "barrier", label_species="Cu")
    assert np.array_equal(got.labelled, s.types == 0)
    (full,) = load_structures(write_npz(tmp_path / "b.npz", s), SPECIES, "barrier", label_species=["Zr"])
    assert np.array_equal(full.labelled, s.types == 1)
    with pytest.raises(VitrifyError, match="label_species"):
        load_structures(path, SPECIES, "barrier")
    (got,) = load_structures(path, SPECIES, "barrier", allow_missing=True)
    assert np.array_equal(got.labels, partial, equal_nan=True)
    with pytest.raises(VitrifyError, match="no atom of Zr"):
        load_structures(path, SPECIES, "barrier", label_species="Zr", allow_missing=True)


S = sample(10)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no label": ({"barrier": None, "barier": S.labels}, r"no label 'barrier' \(did you mean 'barier'"),
    "label too short": ({"barrier": S.labels[:-1]}, r"the shape \(9,\).*10 atoms"),
    "label of vectors": ({"barrier": S.positions}, r"the shape \(10, 3\)"),
    "label of text": ({"barrier": np.array(["a"] * 10)}, "one number"),
    "one NaN": ({"barrier": np.r_[np.nan, S.labels[1:]]}, r"1 of 10 atoms of Cu, Zr is NaN.*allow_missing"),
    "all NaN": ({"barrier": np.full(10, np.nan)}, "no atom of Cu, Zr has a label"),
    "infinite": ({"barrier": np.r_[np.inf, S.labels[1:]]}, "1 atoms is infinite"),
    "objects": ({"barrier": np.array([None] * 10)}, "a pickle is refused"),
    "type 3": ({"types": S.types + 2}, r"the type 3, but 2 species"),
    "type 0": ({"types": S.types}, "the type 0"),
    "types too short": ({"types": S.types[:-1] + 1}, r"types have the shape \(9,\)"),
    "real types": ({"types": S.types + 1.0}, "integers from 1"),
    "unknown element": ({"types": np.array(["Cu"] * 9 + ["Zn"])}, r"atoms of Zn.*Cu, Zr"),
    "positions NaN": ({"positions": S.positions * np.r_[np.nan, np.ones(9)][:, None]}, r"positions of atom 0"),
    "positions (N, 2)": ({"positions": S.positions[:, :2]}, r"shape \(10, 2\)"),
    "no atoms": ({"positions": np.zeros((0, 3)), "types": np.zeros(0, int), "barrier": np.zeros(0)}, "no atoms"),
    "no volume": ({"cell": np.ones((3, 3))}, "no volume"),
    "no cell": ({"cell": None}, "no array cell"),
    "no types": ({"types": None}, "no array types"),
    "cell of 2": ({"cell": np.ones(2)}, "three cell vectors"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_npz_is_refused(case: str, tmp_path: Path) -> None:
    changes, message = BAD[case]
    path = write_npz(tmp_path / "glass.npz", S, **changes)
    with pytest.raises(VitrifyError, match=message) as caught:
        load_structures(path, SPECIES, "barrier")
    assert "glass.npz" in str(caught.value)


def test_pickles_are_refused_and_not_run(tmp_path: Path) -> None:
    """By their suffix and by their content, whatever they are called; nothing in them runs."""

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    for name in ("glass.npz", "glass.pkl", "glass.pt", "glass.lammpstrj", "glass"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(VitrifyError, match="a pickle is refused"):
            load_structures(tmp_path / name, SPECIES, "barrier")
    np.savez(tmp_path / "objects.npz", positions=np.array([Trap()], dtype=object), cell=S.cell, types=S.types)
    with pytest.raises(VitrifyError, match="a pickle is refused"):
        load_structures(tmp_path / "objects.npz", SPECIES, "barrier")
    assert not (tmp_path / "sprung").exists()


def test_bad_files_are_refused(tmp_path: Path) -> None:
    good = write_npz(tmp_path / "good.npz", S)
    head = "ITEM: TIMESTEP\n7\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 5\n0 5\n0 5\n"
    atoms = "ITEM: ATOMS id type x y z barrier\n1 1 0 0 0 0.5\n"
    xyz = '1\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:barrier:R:1 pbc="{}"\n{} 0 0 0 1\n'
    files: dict[str, tuple[str | bytes, str]] = {
        "cut.npz": (good.read_bytes()[:200], "damaged one"),
        "empty.npz": (b"", "is empty: it holds no structure"),
        "glass.cif": ("data_x\nloop_\n", "glass.cif (is in no format|holds no structure)"),
        "cut.lammpstrj": (head + atoms, "line 10: frame 1 has 1 of its 2 atoms"),
        "headless.dump": (head, "ends within a frame"),
        "empty.dump": ("", "holds no structure"),
        "prose.dump": ("once upon a time\n", "no LAMMPS text dump"),
        "binary.dump": (b"\xff\xfe\x00", "no text that can be read here, it is UTF-16"),
        "twice.dump": (head + atoms + "1 1 1 1 1 0.5\n", "the atom id 1 is there twice"),
        "words.dump": (head + atoms + "2 1 1 one 1 0.5\n", "line 11: y is 'one', but must be a number"),
        "noid.dump": (head + "ITEM: ATOMS type x y z barrier\n1 0 0 0 1\n1 1 1 1 1\n", "lack id"),
        "open.dump": (
            head.replace("pp pp pp", "pp pp ff") + atoms + "2 1 1 1 1 1\n",
            r"not periodic in three directions \(pbc T T F\)",
        ),
        "nolabel.dump": (head + "ITEM: ATOMS id type x y z\n1 1 0 0 0\n2 1 1 1 1\n", "no label 'barrier'"),
        "open.extxyz": (xyz.format("T T F", "Cu"), "not periodic"),
        "strange.extxyz": (xyz.format("T T T", "Qq"), "atoms of Qq"),
        "zinc.extxyz": (xyz.format("T T T", "Zn"), "atoms of Zn"),
        "prose.extxyz": ("once\nupon\n", "line 1: found 'once' where the number of atoms"),
        "prose.data": ("once upon a time\n", "no section Atoms"),
    }
    for name, (content, message) in files.items():
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(VitrifyError, match=message):
            load_structures(path, SPECIES, "barrier")
    with pytest.raises(VitrifyError, match="no file"):
        load_structures([good, tmp_path / "absent.npz"], SPECIES, "barrier")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(VitrifyError, match="a folder without a file that can be read"):
        load_structures(tmp_path / "nothing", SPECIES, "barrier")
    with pytest.raises(VitrifyError, match="no files"):
        load_structures([], SPECIES, "barrier")
    with pytest.raises(VitrifyError, match="repeat"):
        load_structures(good, ["Cu", "Cu"], "barrier")
    with pytest.raises(VitrifyError, match="did you mean 'Zr'"):
        load_structures(good, SPECIES, "barrier", label_species="Zrr")


def test_files_of_one_name_in_two_folders(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        write_npz(tmp_path / folder / "glass.npz", S)
    names = [s.name for s in load_structures([tmp_path / f / "glass.npz" for f in "ab"], SPECIES, "barrier")]
    assert len(set(names)) == 2


def packing(seed: int, n: int = 200) -> LabelledStructure:
    """Atoms pushed apart until none is closer than a liquid's would be, one per unit of volume."""
    rng = np.random.default_rng(seed)
    length = n ** (1 / 3)
    x = rng.random((n, 3)) * length
    for _ in range(100):
        d = x[:, None] - x
        d -= length * np.round(d / length)
        r = np.linalg.norm(d, axis=2) + 9 * np.eye(n)
        x += 0.2 * np.einsum("ij,ijk->ik", np.clip(1 - r, 0, None) / r, d)
    return LabelledStructure(f"{seed}", x, np.eye(3) * length, np.arange(n) % 2, rng.random(n))


def test_near_copies_share_a_group() -> None:
    """Vibrating, strained, sheared, shifted, wrapped and in another order; independent packings stay apart."""
    rng = np.random.default_rng(8)
    glass, others = packing(0), [packing(seed) for seed in (1, 2, 3)]
    x, cell = glass.positions, glass.cell
    order = rng.permutation(len(glass))
    strain = np.diag([1.04, 0.98, 0.98])
    shear = np.eye(3) + 0.1 * np.eye(3, k=-1)
    shifted = (x + np.array([0.3, 1.7, 2.2])) @ np.linalg.inv(cell)
    copies = [
        LabelledStructure("vibrating", x + 0.08 * rng.normal(size=x.shape), cell, glass.types, glass.labels),
        LabelledStructure("shifted", (shifted % 1.0) @ cell, cell, glass.types, glass.labels),
        LabelledStructure("strained", x[order] @ strain, cell @ strain, glass.types[order], glass.labels),
        LabelledStructure("sheared", x @ shear, cell @ shear, glass.types, glass.labels),
    ]
    assert duplicate_groups([others[0], glass, *copies, *others[1:]]) == [0, 1, 1, 1, 1, 1, 2, 3]
    renamed = LabelledStructure("fewer", x, cell, np.zeros(len(glass), np.int64), glass.labels)
    assert duplicate_groups([glass, renamed]) == [0, 1]
    assert duplicate_groups([]) == []


def test_one_group_is_left_out_at_a_time() -> None:
    folds = leave_one_group_out(["b", "b", "a", "c", "a"])
    assert folds == [([2, 3, 4], [0, 1]), ([0, 1, 3], [2, 4]), ([0, 1, 2, 4], [3])]
    with pytest.raises(VitrifyError, match="at least two"):
        leave_one_group_out([1, 1])


def test_copies_among_the_glasses_of_files(tmp_path: Path) -> None:
    """Two labellings of one glass, whose rows match at 0.02 A, and a glass that is strained by 4%; 2.6 A apart."""
    rng, strain = np.random.default_rng(9), np.diag([1.04, 1.0, 1.0])
    one, *others, six = (packing(seed) for seed in range(5))
    near = replace(one, positions=one.positions + 0.007 * rng.normal(size=one.positions.shape))
    strained = replace(six, positions=six.positions @ strain, cell=six.cell @ strain)
    files = []
    for number, s in enumerate((one, near, *others, six, strained)):
        box, centre = 2.6 * np.diag(s.cell), s.positions.mean(0)
        changes = {"positions": 2.6 * (s.positions - centre), "cell": None, "box": box, "barrier": rng.random(len(s))}
        files.append(write_npz(tmp_path / f"sample{number}.npz", s, **changes))
    glasses = load_structures(files, SPECIES, "barrier")
    assert duplicate_groups(glasses) == [0, 0, 1, 2, 3, 4, 4]
    assert all(len(g) == 200 and g.labelled.all() for g in glasses)
    liquids = load_structures(files[1:6], ["A", "B"], "barrier", label_species="A")
    assert duplicate_groups(liquids) == list(range(5))
    assert all(np.array_equal(s.labelled, s.types == 0) for s in liquids)
