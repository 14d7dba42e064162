"""The examples of the Python route as a user runs them, shortened."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from python_lmp import needs_python_lmp, python_ok
from vitrify.lammps_library.session import potential_file

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "python-route"


def shortened(name: str, **values: object) -> str:
    """An input script with other values of its index variables."""
    text = (EXAMPLES / name).read_text()
    for variable, value in values.items():
        text, count = re.subn(rf"(?m)^(variable +{variable} +index) \S+", rf'\1 "{value}"', text)
        assert count == 1, variable
    return text


def test_the_notebook_draws_barriers(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "notebook.py")], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "Warning:" in line]
    assert all("symgnn" in line or "barrier" in line for line in warnings), (
        warnings
    )  # another potential than the labels'
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["liquid", "after 200 strides", "at rest", "barriers"]
    temperatures = [float(re.search(r"(\S+) K", line)[1]) for line in lines[:2]]  # type: ignore[index]
    energies = [float(re.search(r"(\S+) eV/atom", line)[1]) for line in lines[:3]]  # type: ignore[index]
    assert all(1300 < t < 1700 for t in temperatures)
    assert abs(energies[1] - energies[0]) < 0.1 and energies[2] < energies[1] - 0.1
    assert (tmp_path / "barriers.png").stat().st_size > 30_000
    rows = (tmp_path / "barriers.lammpstrj").read_text().splitlines()
    assert len(rows) == 9 + 256 and len(np.unique([row.split()[5] for row in rows[9:]])) > 200


@needs_python_lmp
def test_a_liquid_moved_by_the_network(tmp_path: Path) -> None:
    thermo = python_ok(shortened("in.ogn", size=7, melt=1500, steps=30), tmp_path).thermo()
    last = {name: values[-31:] for name, values in thermo.items()}
    assert np.abs(last["TotEng"] - last["TotEng"][0]).max() < 1e-6  # energy rescale
    assert abs(last["Temp"].mean() - 3.0) < 0.15
    assert (tmp_path / "run.lammpstrj").read_text().count("ITEM: TIMESTEP") >= 4


@needs_python_lmp
def test_barriers_by_hand_and_in_a_run(tmp_path: Path) -> None:
    text = shortened("in.barriers", potential=potential_file("CuZr_mm.eam.fs"), edge=3, quench=500)
    done = python_ok(text, tmp_path)
    rows = [line.split() for line in (tmp_path / "barriers.lammpstrj").read_text().splitlines()[9:]]
    values = np.array(rows, dtype=float)[:, 5]
    assert values.shape == (108,) and values.std() > 0.05
    means = done.thermo()["c_mean"]
    assert len(means) >= 3 and abs(means[0] - values.mean()) < 1e-4  # what was asked for by hand is still there
    assert 1e-6 < abs(means[-1] - means[0]) < 0.5


@needs_python_lmp
def test_a_glass_in_an_empty_box(tmp_path: Path) -> None:
    python_ok(shortened("in.glass", potential=potential_file("Si.sw"), edge=16), tmp_path)
    text = (tmp_path / "glass.data").read_text()
    density = int(re.search(r"(\d+) atoms", text)[1]) * 28.0855 * 1.66053907 / 16**3  # type: ignore[index]
    assert 2.2 < density < 2.6
