"""What the benchmarks of generators compute by themselves."""

import gzip

import pytest
from ase import Atoms
from ase.io import read, write

from benchmarks.amshortcut.glass import reached_by
from benchmarks.amshortcut.split import split
from benchmarks.amshortcut.table import best_of, published, report


def test_split_keeps_simulations_whole(tmp_path):
    path = tmp_path / "glass.extxyz.gz"
    frames = [Atoms("Si2", [[0, 0, 0], [1, 1, k]], cell=[5, 5, 9], pbc=True, info={"sample": k // 3}) for k in range(9)]
    with gzip.open(path, "wt") as file:
        write(file, frames, format="extxyz")
    path.with_name(path.name + ".json").write_text("{}")
    train, test = split(path, 2)
    assert [atoms.info["sample"] for atoms in read(train, ":")] == [0, 0, 0, 1, 1, 1]
    assert [atoms.positions[1, 2] for atoms in read(test, ":")] == [6, 7, 8]
    assert test.with_name(test.name + ".json").read_text() == "{}"


def test_time_of_equal_energy_lies_between_two_rows():
    routes = [
        {"cpu_seconds": 1.0, "energy": -4.0},
        {"cpu_seconds": 10.0, "energy": -4.2},
        {"cpu_seconds": 5.0, "energy": -3.9},  # slower and worse than the first: nobody would take it
        {"cpu_seconds": 100.0, "energy": -4.4},
    ]
    assert reached_by(routes, -4.0) == pytest.approx(1.0)
    assert reached_by(routes, -4.1) == pytest.approx(10**0.5)
    assert reached_by(routes, -4.3) == pytest.approx(10**1.5)
    assert reached_by(routes, -3.5) == 1.0
    assert reached_by(routes, -4.5) is None


def test_table_has_the_published_figures_and_the_best_time_step():
    runs = [
        {"steps": 25, "rdf": 0.3, "adf": 0.1, "cpu_seconds": 1.0},
        {"steps": 25, "rdf": 0.2, "adf": 0.2, "cpu_seconds": 2.0},
    ]
    assert best_of(runs) == runs[1:]
    row = {"method": "flow", "steps": 1, "samples": 10, "rdf": 0.5, "adf": 0.01, "cpu_seconds": 0.1}
    floors = {10: {"rdf": 0.02, "adf": 0.001}}
    text = report({"rows": [row], "floors": floors, "md": runs[1:], "published": published()})
    assert "| flow | 1 | 10 | 0.5000 | 0.010000 | 0.1000 |" in text
    assert "| 1 | 0.69118 / 0.0028 | 0.68477 / 0.00282 | 0.02513 / 0.00067 |" in text
