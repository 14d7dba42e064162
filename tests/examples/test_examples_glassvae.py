"""The example of a latent model and its benchmarks as a user runs them, shortened, with an untrained model."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import read

import toy_glassvae
from benchmarks.common.cuzr import make_glass
from benchmarks.glassvae.cost import copies
from benchmarks.glassvae.cost import main as glassvae_cost
from benchmarks.glassvae.nve import main as glassvae_nve
from lammps_runner import run_ok
from vitrify import GlassCalc
from vitrify.models import System

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cu50zr50"
CUZR = System(("Cu", "Zr"), (63.546, 91.224), "metal", 0.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_glassvae.write(tmp_path_factory.mktemp("model") / "Cu50Zr50.glassvae.pt", system=CUZR).path


def test_lammps_and_ase(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMMPS_POTENTIALS", str(model.parent))
    shutil.copy(EXAMPLE / "Cu50Zr50.data", tmp_path)
    script = (EXAMPLE / "in.cu50zr50").read_text().replace("steps index 1000", "steps index 40")
    exact = ("norm yes", "norm yes format float %.12g")
    for long, short in (("1000 10000", "20 200"), ("thermo       100", "thermo 20"), exact):
        assert long in script
        script = script.replace(long, short)
    result = run_ok(script, tmp_path, 2)
    thermo, z = result.thermo(), GlassCalc(model)
    glass = read(EXAMPLE / "Cu50Zr50.data", format="lammps-data")
    assert len(glass) == 256 and list(glass.symbols).count("Cu") == 128
    assert thermo["PotEng"][0] == pytest.approx(z.get_potential_energy(glass) / 256, rel=1e-9)
    latent = z.get_property("latent", glass)
    np.testing.assert_allclose([thermo[f"c_z[{k + 1}]"][0] for k in range(len(latent))], latent, atol=1e-8)
    assert thermo["PotEng"][1] < thermo["PotEng"][0]
    assert (tmp_path / "Cu50Zr50-minimum.data").exists()

    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "run.py"), "--steps", "3"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    start, end = (float(x) for x in re.findall(r": (\S+) eV/atom", done.stdout))
    assert start == pytest.approx(thermo["PotEng"][0], abs=1e-5) and end < start
    assert read(tmp_path / "Cu50Zr50-minimum.extxyz").get_potential_energy() == pytest.approx(256 * end, abs=0.01)


def test_benchmarks(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(path: Path, cells: int, temperature: float = 300.0) -> None:
        make_glass(path, cells, 20, 20, temperature)

    monkeypatch.setattr("benchmarks.glassvae.cost.make_glass", quick)
    monkeypatch.setattr("benchmarks.glassvae.nve.make_glass", quick)
    assert copies(4000) == (2, 2, 2) and sorted(copies(16_000)) == [2, 4, 4]
    glassvae_cost([str(model), "--sizes", "500", "--repeats", "2", "--length", "0.005", "--results", str(tmp_path)])
    rows = json.loads((tmp_path / "cost.json").read_text())["rows"]
    assert rows[0]["method"] == "eam/fs" and {row["atoms"] for row in rows} == {500}
    assert all(min(row["microseconds"]) > 0 and row["gibibytes"] > 0.01 for row in rows)
    text = (tmp_path / "cost.md").read_text()
    assert "| 500 | eam/fs |" in text and "| 1 (1 to 1) |" in text and "glassvae, torch" in text

    glassvae_nve([
        str(model), "--temperatures", "300", "--cells", "3", "--time", "0.1", "--equilibration", "0.02",
        "--results", str(tmp_path),
    ])  # fmt: skip
    (row,) = json.loads((tmp_path / "nve.json").read_text())["rows"]
    assert row["atoms"] == 108 and 20 < row["mean_temperature"] < 5000
    assert abs(row["drift"]) < 1e-3 and 0 < row["spread"] < 1e-2
    assert "| 300 | 108 | 0.1 | 1 |" in (tmp_path / "nve.md").read_text()
