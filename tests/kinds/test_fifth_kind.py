"""A kind of model from outside is trained, exported, checked, evaluated and run, and no line of vitrify knows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

import toy_kind
from toy_kind.kind import KIND
from vitrify import GlassCalc, VitrifyError, open_model, read_metadata
from vitrify.cli import diagnose as doctor
from vitrify.graphs.neighbours import neighbour_list
from vitrify.kinds import KINDS, Kinds

CUTOFF = 3.2
CONFIG = """
kind: toy
model: {cutoff: 3.2}
data: {train: [train.extxyz], validation: [test.extxyz], species: [Cu, Zr], label: coordination}
training: {max_steps: 300, batch_size: 2, learning_rate: 0.1, final_learning_rate: 0.001, validate_every: 300}
"""


def counted(positions: np.ndarray, cell: np.ndarray, types: np.ndarray) -> np.ndarray:
    """What the toy shall learn: twice the smooth count around Cu, the count and one around Zr."""
    (centres, _), vectors = neighbour_list(positions, cell, CUTOFF)
    near = np.clip(1.0 - (vectors**2).sum(1) / CUTOFF**2, 0.0, 1.0)
    count = np.bincount(centres, near, len(positions))
    return np.where(types == 0, 2.0 * count, count + 1.0)


def structure(seed: int) -> Atoms:
    random = np.random.default_rng(seed)
    cell = np.diag([9.0, 10.0, 11.0])
    types = random.permutation(np.repeat([0, 1], 27))
    positions = random.random((54, 3)) @ cell
    atoms = Atoms(np.where(types == 0, "Cu", "Zr"), positions=positions, cell=cell, pbc=True)
    atoms.new_array("coordination", counted(positions, cell, types))
    return atoms


class Project:
    """A folder with data and a configuration, and the environment of somebody who has installed the toy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write(folder / "train.extxyz", [structure(seed) for seed in range(6)], format="extxyz")
        write(folder / "test.extxyz", [structure(seed) for seed in (7, 8)], format="extxyz")
        (folder / "toy.yaml").write_text(CONFIG)
        # What pip would leave: a distribution with an entry point.
        installed = folder / "site" / "toy_kind-1.0.dist-info"
        installed.mkdir(parents=True)
        (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-kind\nVersion: 1.0\n")
        (installed / "entry_points.txt").write_text("[vitrify.kinds]\ntoy = toy_kind.kind:KIND\n")
        places = [str(folder / "site"), str(Path(toy_kind.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        self.environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places)), "OMP_NUM_THREADS": "1"}

    def vitrify(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "vitrify.cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("toy"))
    made.vitrify("train", "toy.yaml", "--out", "run")
    made.vitrify("export", "run", "-o", "toy.pt")
    return made


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy among the kinds of this process."""
    monkeypatch.setitem(KINDS._kinds, "toy", KIND)


def test_an_installed_kind_trains_and_is_described(project: Project) -> None:
    told = project.vitrify("info", "toy.pt")
    assert "toy, variant counter" in told and "counts       the coordination of each atom" in told
    assert "no: GlassCalc runs it in ASE" in told and "cite         nobody" in told
    assert json.loads(project.vitrify("info", "toy.pt", "--json"))["quantity"] == "coordination"


@pytest.mark.slow
def test_it_is_evaluated(project: Project) -> None:
    project.vitrify("evaluate", "toy.pt", "--data", "test.extxyz", "--out", "report")
    metrics = json.loads((project.folder / "report" / "metrics.json").read_text())
    assert metrics["rms_error"] < 0.05 * metrics["rms_label"]
    assert (project.folder / "report" / "report.html").is_file()
    project.vitrify("evaluate", "toy.pt", "--data", "test.extxyz", "--out", "twice", "--scale", "2")
    doubled = json.loads((project.folder / "twice" / "metrics.json").read_text())
    assert doubled["rms_error"] == 2.0 * metrics["rms_error"]
    assert "--scale" in project.vitrify("evaluate", "--help")


def test_it_passes_doctor(project: Project, registered: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "shipped_models", dict)
    findings = [found for found in doctor.diagnose([str(project.folder / "toy.pt")]) if "toy.pt" in found.name]
    assert [found.name for found in findings] == ["toy.pt in Python, torch"] and findings[0].ok


def test_glass_calc_answers(project: Project, registered: None) -> None:
    atoms = structure(9)
    calculator = GlassCalc(project.folder / "toy.pt", check=True)
    assert calculator.implemented_properties == ["coordination"]
    found = calculator.get_property("coordination", atoms)
    assert np.abs(found - atoms.arrays["coordination"]).max() < 0.1
    assert open_model(project.folder / "toy.pt").metadata == read_metadata(project.folder / "toy.pt")


def test_without_it_the_file_names_the_kinds_that_there_are(project: Project) -> None:
    with pytest.raises(VitrifyError, match="kind 'toy', this vitrify runs ogn, symgnn, amshortcut, glassvae"):
        read_metadata(project.folder / "toy.pt")


def test_what_a_kind_does_not_have_is_one_clear_error(project: Project, registered: None) -> None:
    with pytest.raises(VitrifyError, match="no native; kind toy counts neighbours"):
        open_model(project.folder / "toy.pt", "native")


def test_a_name_is_taken_once() -> None:
    kinds = Kinds(("vitrify.ogn.kind",))
    kinds.register(KIND)
    kinds.register(KIND)
    with pytest.raises(VitrifyError, match="there is a kind ogn already"):
        kinds.register(replace(KIND, name="ogn"))


@pytest.mark.parametrize("name", ["ogn", "symgnn", "amshortcut", "glassvae"])
def test_the_module_of_a_kind_may_come_first(name: str) -> None:
    program = f"from vitrify.{name}.kind import KIND; from vitrify.kinds import KINDS; assert KINDS[{name!r}] is KIND"
    subprocess.run([sys.executable, "-c", program], check=True)
