"""Where files are wanted, ~, patterns and folders do: in Python, on the command line, and in YAML."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.data.readers.formats import DATA, DUMP, EXTXYZ, files_of, format_by_name
from vitrify.data.samples import load_samples
from vitrify.data.structures import load_last_structure, load_structures
from vitrify.report.evaluation import EvaluationData
from vitrify.training.config import load_config

XYZ = '1\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3:barrier:R:1\nSi {} 2 3 0.5\n'
YAML = """
kind: symgnn
model: {{variant: ridge}}
data: {{train: [{train}], validation: [{validation}], species: [Si], label: barrier, unit: eV}}
training: {{max_steps: 1}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = tmp_path / "data [1]"
    found.mkdir()
    for number in (1, 2, 10):
        (found / f"run{number}.extxyz").write_text(XYZ.format(number))
    (found / "run1.barrier.csv").write_text("1,2\n")
    (found / ".hidden.extxyz").write_text("no")
    return found


def test_home_patterns_and_folders(folder: Path) -> None:
    runs = [folder / f"run{number}.extxyz" for number in (1, 10, 2)]
    assert files_of(folder) == runs
    assert files_of("~/data [[]1]/run*.extxyz") == runs
    assert files_of(["~/data [1]/run2.extxyz", folder]) == [runs[2], *runs]
    assert files_of(["run?.extxyz"], base=folder) == [runs[0], runs[2]]
    assert [s.name for s in load_structures("~/data [1]/run1*.extxyz".replace("[1]", "[[]1]"), ("Si",))] == [
        "run1",
        "run10",
    ]
    assert len(load_samples(folder, ("Si",))) == 3
    assert EvaluationData([folder]).files == runs
    assert files_of("absent.extxyz") == [Path("absent.extxyz")]


def test_what_is_left_out_is_said(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    with pytest.warns(VitrifyWarning, match=r"3 files are read, but not notes\.txt"):
        files_of(folder)


def test_patterns_and_folders_without_files(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match="no file is called"):
        files_of(folder / "run*.dump")
    (tmp_path / "empty").mkdir()
    with pytest.raises(VitrifyError, match="a folder without a file"):
        files_of(tmp_path / "empty")
    with pytest.raises(VitrifyError, match="cannot be found"):
        files_of("~nobody-of-this-name/a.data")
    with pytest.raises(VitrifyError, match="3 files, but one structure is wanted"):
        load_last_structure(folder, ("Si",))


def test_the_last_of_several_structures_is_said(folder: Path) -> None:
    (folder / "two.extxyz").write_text(XYZ.format(1) + XYZ.format(4))
    with pytest.warns(VitrifyWarning, match="2 structures: the last one is used"):
        last = load_last_structure(folder / "two.extxyz", ("Si",))
    np.testing.assert_array_equal(last.positions, [[4, 2, 3]])


def test_yaml(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(YAML.format(train='"~/data [[]1]/run1*.extxyz"', validation='"data [1]/run2.extxyz"'))
    data = load_config(config).data
    assert data.train == (folder / "run1.extxyz", folder / "run10.extxyz")
    assert data.validation == (folder / "run2.extxyz",)
    config.write_text(YAML.format(train='"data [1]"', validation='"data [1]/run2.extxyz"'))
    with pytest.raises(VitrifyError, match=r"run2\.extxyz is in both train and validation"):
        load_config(config)


def test_a_known_suffix_wins_over_a_prefix() -> None:
    names = {"data.glass": DATA, "dump.0.lammpstrj": DUMP, "dump.100": DUMP, "data.cif": None, "dump.traj": None,
             "data.xyz": EXTXYZ, "data.PDB.gz": None}  # fmt: skip
    assert {name: format_by_name(Path(name)) for name in names} == names
