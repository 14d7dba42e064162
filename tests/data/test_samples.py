"""Structures with properties: what a file says is what is read, what makes no sense is refused, splits do not leak."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from toy_samples import write_crystals
from vitrify.core.errors import VitrifyError
from vitrify.data.samples import Sample, load_samples, read_recipe, split_groups

FRAME = """2
Lattice="4 0 0 1 5 0 0.5 -1 6" Properties=species:S:1:pos:R:3 stiffness={} sample={} pbc="T T T"
O  0.25 0.5 0.75
Si 1.5  2.5 3.5
"""
CELL = [[4, 0, 0], [1, 5, 0], [0.5, -1, 6]]
DATA = """two atoms

2 atoms
2 atom types
0 4 xlo xhi
0 5 ylo yhi
0 6 zlo zhi
1.0 0.5 -1.0 xy xz yz

Masses

1 28.085
2 15.999

Atoms # atomic

1 2 0.25 0.5 0.75
2 1 1.5 2.5 3.5
"""


def written(folder: Path, name: str, *frames: str) -> Path:
    path = folder / name
    text = "".join(frames).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


@pytest.mark.parametrize("name", ["a.extxyz", "a.extxyz.gz", "a.xyz", "A.XYZ"])
def test_extended_xyz(tmp_path, name):
    path = written(tmp_path, name, FRAME.format("31.5", 7), FRAME.format("29", 7), FRAME.format("3e1", 8))
    found = load_samples([path], ["Si", "O"], ["stiffness"])
    assert [float(s.properties[0]) for s in found] == [31.5, 29.0, 30.0]
    assert [s.group for s in found] == [(name, 7), (name, 7), (name, 8)]
    for sample in found:
        np.testing.assert_allclose(sample.cell, CELL)
        np.testing.assert_allclose(sample.positions, [[0.25, 0.5, 0.75], [1.5, 2.5, 3.5]])
        np.testing.assert_array_equal(sample.types, [1, 0])
        assert len(sample) == 2
        assert sample.volume == pytest.approx(4 * 5 * 6)
        assert sample.number_density == pytest.approx(2 / 120)
    assert load_samples([path], ["O", "Si"])[0].properties.shape == (0,)
    np.testing.assert_array_equal(load_samples([path], ["O", "Si"])[0].types, [0, 1])


def test_a_property_that_some_frames_lack_is_nan(tmp_path):
    write_crystals(tmp_path / "c.extxyz", missing=3)
    found = load_samples([tmp_path / "c.extxyz"], ["Si", "O"], ["ring_size", "spacing"])
    assert np.flatnonzero([np.isnan(s.properties[1]) for s in found]).tolist() == [3]
    assert not any(np.isnan(s.properties[0]) for s in found)


def test_structures_without_properties(tmp_path):
    (tmp_path / "two.data").write_text(DATA)
    (sample,) = load_samples([tmp_path / "two.data"], ["Si", "O"])
    np.testing.assert_allclose(sample.cell, CELL)
    np.testing.assert_array_equal(sample.types, [1, 0])
    assert sample.properties.shape == (0,)
    np.savez(tmp_path / "t.npz", positions=sample.positions, cell=sample.cell, types=sample.types + 1)
    (again,) = load_samples([tmp_path / "t.npz"], ["Si", "O"])
    np.testing.assert_allclose(again.positions, sample.positions)
    frame = "ITEM: TIMESTEP\n{}\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
    rows = "ITEM: ATOMS id type x y z\n1 1 1 2 3\n"
    (tmp_path / "run.dump").write_text("".join(frame.format(k) + rows for k in (0, 10, 20)))
    found = load_samples([tmp_path / "run.dump", tmp_path / "two.data"], ["Si", "O"])
    assert len({s.group for s in found[:3]}) == 1, "the frames of a dump are of one simulation"
    assert found[3].group != found[0].group
    with pytest.raises(VitrifyError, match=r"two.data cannot say stiffness of its structures"):
        load_samples([tmp_path / "two.data"], ["Si", "O"], ["stiffness"])


# fmt: off
REFUSED = {
    "element": (FRAME.format(1, 1).replace("Si", "Ge"), ["stiffness"], r"frame 1 has atoms of Ge, which is none of"),
    "property": (FRAME.format(1, 1), ["stifness"], r"no structure of .* has the property 'stifness'.*stiffness"),
    "word": (FRAME.format(1, 1) + FRAME.format("soft", 2), ["stiffness"], r"frame 2: stiffness is 'soft'.*a number"),
    "infinity": (FRAME.format("inf", 1), ["stiffness"], r"frame 1: stiffness is 'inf'"),
    "vector": (FRAME.format('"1 2 3"', 1), ["stiffness"], r"frame 1: stiffness is '\[1 2 3\]'"),
    "group": (FRAME.format(1, "first"), ["stiffness"], r"frame 1: sample is 'first'"),
    "cut off": (FRAME.format(1, 1)[:-20], ["stiffness"], r"after 1 of the 2 atoms of the frame that begins in line 1"),
    "no numbers": (FRAME.format(1, 1).replace("3.5", "x"), ["stiffness"], r"line 4: column 4 \(pos\) is 'x'"),
    "nowhere": (FRAME.format(1, 1).replace("3.5", "nan"), ["stiffness"], r"frame 1: the positions of atom 1"),
    "no cell": ("1\nstiffness=1\nSi 0 0 0\n", ["stiffness"], r"frame 1 has no cell: write it"),
    "nothing": ("", [], r"holds no structure"),
}
# fmt: on


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_with_its_place(tmp_path, case):
    text, properties, message = REFUSED[case]
    path = written(tmp_path, "a.extxyz", text)
    with pytest.raises(VitrifyError, match=message) as caught:
        load_samples([path], ["Si", "O"], properties)
    assert "a.extxyz" in str(caught.value)


def test_files_that_are_not_there_or_cut(tmp_path):
    with pytest.raises(VitrifyError, match=r"there is no file .*none.extxyz"):
        load_samples([tmp_path / "none.extxyz"], ["Si"])
    with pytest.raises(VitrifyError, match=r"give at least one"):
        load_samples([], ["Si"])
    whole = written(tmp_path, "a.extxyz.gz", FRAME.format(1, 1) * 50)
    whole.write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(VitrifyError, match=r"a.extxyz.gz is cut off or damaged"):
        load_samples([whole], ["Si", "O"])
    (tmp_path / "b.extxyz").write_bytes(bytes(range(256)))
    with pytest.raises(VitrifyError, match=r"b.extxyz is no text that can be read here, it is binary"):
        load_samples([tmp_path / "b.extxyz"], ["Si", "O"])


def test_recipes(tmp_path):
    write_crystals(tmp_path / "c.extxyz.gz")
    assert read_recipe(tmp_path / "c.extxyz.gz")["property_units"] == {"spacing": "A", "ring_size": ""}
    assert read_recipe(tmp_path / "other.extxyz") == {}
    (tmp_path / "other.extxyz.json").write_text("{")
    assert read_recipe(tmp_path / "other.extxyz") == {}
    (tmp_path / "other.extxyz.json").write_text("[1]")
    assert read_recipe(tmp_path / "other.extxyz") == {}


def frames_of(groups: list[int]) -> list[Sample]:
    nothing = np.empty(0)
    return [Sample(np.eye(3), np.zeros((1, 3)), np.zeros(1, int), nothing, ("a", group)) for group in groups]


@pytest.mark.parametrize("seed", range(5))
def test_a_split_divides_no_simulation(seed):
    samples = frames_of([k // 4 for k in range(80)])
    train, held_out = split_groups(samples, 0.25, seed)
    assert not {s.group for s in train} & {s.group for s in held_out}
    assert len(train) + len(held_out) == 80
    assert len({s.group for s in held_out}) == 5
    again = split_groups(samples[::-1], 0.25, seed)[1]
    assert {s.group for s in again} == {s.group for s in held_out}, "whatever the order of the files"


def test_splits_have_something_on_both_sides():
    train, held_out = split_groups(frames_of([0, 1]), 0.01, 1)
    assert (len(train), len(held_out)) == (1, 1)
    train, held_out = split_groups(frames_of([0, 1, 2]), 0.95, 1)
    assert len(train) > 0
    with pytest.raises(VitrifyError, match="of one simulation"):
        split_groups(frames_of([3, 3, 3]), 0.5, 1)
