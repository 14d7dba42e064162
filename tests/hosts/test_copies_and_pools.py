"""Calculators and models in copies, threads, forked and spawned processes, and pools of joblib and Dask."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.db import connect
from ase.io import read
from ase.mep import NEB
from ase.optimize import FIRE

from changed_files import with_metadata
from vitrify import GlassCalc, VitrifyError, open_model
from vitrify.modelfile.archive import find_model
from vitrify.plugin import path as plugin_path

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "helpers" / "pools" / "answers.py"
HANGS = 300  # s, on the slowest machine
FAST = [*((form, "native") for form in ("deepcopy", "pickle", "threads", "pool", "busy", "spawn")), ("pool", "torch")]
FORMS = (
    *("copy", "deepcopy", "pickle", "threads", "fork", "spawn", "forkserver", "pool", "grandchild", "busy"),
    *("loky", "threading", "dask"),
)
CASES = [(form, engine) for engine in ("native", "torch") for form in FORMS]


@pytest.mark.parametrize(
    ("form", "engine"), [case if case in FAST else pytest.param(*case, marks=pytest.mark.slow) for case in CASES]
)
def test_every_property_is_the_same_elsewhere(form: str, engine: str) -> None:
    """With two threads for each model, which do not survive a fork."""
    if form in ("loky", "threading") and not find_spec("joblib"):
        pytest.skip("needs joblib")
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, str(SCRIPT), form, engine]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-1]) == 12


SHIPPED = "Cu64Zr36.symgnn.pt"


def crystal() -> Atoms:
    atoms = bulk("CuZr", "cesiumchloride", a=3.3).repeat((3, 3, 3))
    atoms.rattle(0.05, seed=1)
    return atoms


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_a_pickled_model_notices_that_its_file_has_changed(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("model.pt")
    shutil.copy(find_model(SHIPPED), path)
    model = open_model(path, engine)  # a relative path
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    packed = pickle.dumps(model)
    assert pickle.loads(packed).sha256 == model.sha256

    with_metadata(find_model(SHIPPED), tmp_path / path, citation="another one")
    with pytest.raises(VitrifyError, match=r"model.pt is not the file that this model was opened from \(SHA-256 \w+"):
        pickle.loads(packed)
    assert copy.deepcopy(model).sha256 == pickle.loads(pickle.dumps(open_model(SHIPPED, engine))).sha256

    (tmp_path / path).unlink()
    with pytest.raises(VitrifyError, match=r"no model file model\.pt"):
        pickle.loads(packed)
    copy.deepcopy(model)
    # Another machine keeps its models elsewhere.
    shutil.copy(find_model(SHIPPED), tmp_path / "elsewhere" / path)
    monkeypatch.setenv("LAMMPS_POTENTIALS", str(tmp_path / "elsewhere"))
    assert pickle.loads(packed).sha256 == model.sha256


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_writers_of_ase_take_the_calculator(tmp_path: Path) -> None:
    atoms = crystal()
    atoms.calc = GlassCalc("Cu50Zr50.glassvae.pt", species={"Cu": "Cu", "Zr": "Zr"})
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    assert atoms.copy().calc is None
    for name in ("a.traj", "a.extxyz", "a.json"):
        atoms.write(tmp_path / name)
        assert read(tmp_path / name).get_potential_energy() == pytest.approx(energy, rel=1e-7)
    with connect(tmp_path / "a.db") as database:
        row = database.get(database.write(atoms))
    assert row.energy == energy and np.array_equal(row.forces, forces) and row.calculator == "glasscalc"
    again = GlassCalc(**row.calculator_parameters)
    assert again.get_property("energy", atoms) == energy


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_shares_of_the_atoms_add_up(tmp_path: Path) -> None:
    atoms = crystal()
    calc = atoms.calc = GlassCalc("Cu50Zr50.glassvae.pt")
    assert calc.get_property("energy", atoms, allow_calculation=False) is None
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy(), rel=1e-12)
    assert np.allclose(atoms.get_stresses().sum(0), atoms.get_stress(), rtol=1e-9, atol=1e-12)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    assert calc.get_property("energy", atoms, allow_calculation=False) == atoms.get_potential_energy()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_band_of_deep_copies_relaxes_as_one_of_calculators(tmp_path: Path) -> None:
    start, end = crystal(), crystal()
    end.rattle(0.05, seed=2)

    def relaxed(duplicate: bool) -> np.ndarray:
        calc = GlassCalc("Cu50Zr50.glassvae.pt")
        images = [start.copy(), *(start.copy() for _ in range(3)), end.copy()]
        for image in images:
            image.calc = copy.deepcopy(calc) if duplicate else GlassCalc("Cu50Zr50.glassvae.pt")
        band = NEB(images)
        band.interpolate(mic=True)
        FIRE(band, logfile=None).run(steps=3)
        return np.array([image.positions for image in images])

    assert np.array_equal(relaxed(True), relaxed(False))


@pytest.mark.lmp
@pytest.mark.parametrize(
    "case",
    [
        "ogn",
        "error",
        *(pytest.param(case, marks=pytest.mark.slow) for case in ("glassvae", "create_glass", "attach", "ogn-torch")),
    ],
)
def test_several_lammps_run_in_threads(case: str) -> None:
    script = SCRIPT.with_name("lammps_threads.py")
    environment = {**os.environ, "LAMMPS_PLUGIN_PATH": plugin_path()}
    done = subprocess.run(
        [sys.executable, str(script), case], env=environment, capture_output=True, text=True, timeout=HANGS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-1]) == 12
