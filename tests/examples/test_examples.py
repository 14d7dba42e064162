"""The examples as a user runs them, shortened, in a folder whose name has a space in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation_data import small_model
from vitrify.core.lmp_process import program
from vitrify.ogn.evaluate.lammps_run import read_run, read_thermo, run_lmp

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "kalj"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model called as the shipped one, which `find_model` and `fix ogn` then take."""
    place = tmp_path_factory.mktemp("my models")
    small_model(place / "kalj.ogn.pt")
    return place


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LAMMPS_POTENTIALS": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_demonstration(folder: Path) -> None:
    command = [
        str(EXAMPLES / "run.py"), "--model", str(folder / "kalj.ogn.pt"), "--predictions", "10", "--atoms", "200",
        "--equilibrate", "300", "--energy", "none", "--ranks", "1", "--out", "an out folder",
    ]  # fmt: skip
    done = run(folder, *command)
    assert done.returncode == 0, done.stderr
    figure = Path(done.stdout.strip().splitlines()[-1])
    assert figure == folder / "an out folder" / "kalj.png"
    assert figure.stat().st_size > 50_000
    ogn, md = (read_run(figure.parent / name, 0.025 / n) for name, n in (("ogn_0.025", 1), ("md_0.001", 25)))
    assert len(ogn.types) == 216
    assert ogn.times[-1] == pytest.approx(0.25)
    assert np.allclose(ogn.times, md.times)
    # The same start, then the model goes its own way.
    assert np.allclose(ogn.positions[0], md.positions[0], atol=1e-9)
    assert np.allclose(ogn.velocities[0], md.velocities[0], atol=1e-9)
    assert np.abs(ogn.positions[-1] - md.positions[-1]).max() > 1e-3
    assert f"{ogn.potential_energy[0]:.6g}" == f"{md.potential_energy[0]:.6g}"
    row = next(line for line in done.stdout.splitlines() if line.startswith("OGN"))
    temperature = 2 * np.mean([0.5 * np.sum(v**2) for v in ogn.velocities[1:]]) / (3 * 216 - 3)
    assert float(row.split()[3]) == pytest.approx(temperature, rel=1e-3)

    # The same again repeats nothing and says the same; with other settings it runs what they change.
    again = run(folder, *command)
    assert again.stdout.count("already in") == 4
    assert again.stdout.splitlines()[4:] == done.stdout.splitlines()
    other = run(folder, *command, "--energy", "rescale")
    assert other.stdout.count("already in") == 3


def test_the_demonstration_refuses_in_one_line(folder: Path) -> None:
    done = run(folder, str(EXAMPLES / "run.py"), "--model", "kalj.ogm.pt")
    assert done.returncode == 1
    assert done.stderr.startswith("run.py: no model file kalj.ogm.pt")
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_scripts_by_hand(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMMPS_POTENTIALS", str(folder))
    assert Path(program("lmp")).exists()
    run_lmp(EXAMPLES / "in.liquid", tmp_path, {"size": 6, "steps": 1000})
    run_lmp(EXAMPLES / "in.ogn", tmp_path, {"steps": 4, "every": 2, "energy": "none", "timestep": 0.025})
    record = read_run(tmp_path, 0.025)
    assert np.bincount(record.types).tolist() == [173, 43]
    assert record.times.tolist() == pytest.approx([0.0, 0.05, 0.1])
    assert np.abs(record.velocities.sum(axis=1)).max() < 1e-4
    assert sorted(read_thermo(tmp_path / "log.lammps", "f_1")) == [0, 2, 4]
    # The crystal that the liquid is made from has melted: atoms have left their sites, which were 0.94 apart.
    liquid = record.positions[0] % record.cell[0, 0]
    assert np.std((liquid / (record.cell[0, 0] / 6)) % 1) > 0.2


def test_the_run_from_ase(folder: Path) -> None:
    done = run(folder, str(EXAMPLES / "ase_run.py"), "10")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().splitlines()) >= 2
    from ase.io import read

    frames = read(folder / "kalj.traj", index=":")
    assert isinstance(frames, list)
    assert len(frames) == 2
    assert set(frames[0].get_chemical_symbols()) == {"Ar", "Kr"}
    moved = frames[-1].positions - frames[0].positions
    flight = 0.25 * frames[0].get_velocities()  # which this untrained model corrects but little
    assert 0 < np.std(moved - flight) < 0.8 * np.std(flight)
