"""The stepwise quench of CuZr: frames, labels that LAMMPS confirms, resume, settings and errors."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.data.frames import load_frames
from vitrify.datagen.structures.campaign import make_ensemble, make_recipe
from vitrify.datagen.structures.stepwise_quench import CuZrExternal, CuZrStepwiseQuench
from vitrify.lammps_library.session import LammpsSession

pytestmark = pytest.mark.slow

TINY: dict[str, Any] = {
    "atoms": 32, "spin_up": 0.1, "melt_time": 0.1, "fast": 0.02, "slow": 0.02, "cool": 0.1, "frames": 2, "every": 0.02,
    "molten_frames": 1, "cold_frames": 1, "strained": 2, "still": 2,
}  # fmt: skip
SPECIES = ("Cu", "Zr")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("ladder") / "ladder.extxyz.gz"
    return make_ensemble("CuZr-ladder", out, count=2, workers=1, progress=False, **TINY)


def test_the_steps_of_the_quench_are_the_papers():
    recipe = CuZrStepwiseQuench()
    steps = [t for t, _ in recipe.steps()]
    assert steps[:3] == [1950.0, 1900.0, 1850.0] and steps[19:22] == [1000.0, 980.0, 960.0] and steps[-1] == 700.0
    assert set(recipe.temperatures) <= set(steps) and set(CuZrExternal().temperatures) <= set(steps)
    assert all(wait == recipe.fast for t, wait in recipe.steps() if t >= 1000)


def test_each_part_of_the_quench_is_there(made):
    frames = load_frames([made], SPECIES)
    assert len(frames) == 2 * (1 + 5 * 2 + 1 + 2 + 2 * 2)
    one = frames[: len(frames) // 2]
    parts = [frame.segment for frame in one]
    order = ["melt", "1000K", "920K", "840K", "760K", "700K", "300K", "minimised", "compressed", "expanded"]
    assert list(dict.fromkeys(parts)) == order
    assert {frame.temperature for frame in one if frame.segment == "minimised"} == {0.0}
    assert all(frame.temperature == float(frame.segment[:-1]) for frame in one if frame.segment[0].isdigit())
    assert {frame.group[1] for frame in frames} == {0, 1}
    by = {part: [frame for frame in one if frame.segment == part] for part in order}
    ladder = [frame for frame in one if frame.segment.endswith("K") and frame.segment != "300K"]
    volumes = {round(frame.volume, 3) for frame in ladder}
    for part, share in (("compressed", 0.97), ("expanded", 1.03)):
        assert all(round(frame.volume / share, 3) in volumes for frame in by[part])
    for frame in by["minimised"]:
        assert np.abs(frame.forces).max() < 2e-3
        assert frame.inherent_energy == pytest.approx(frame.energy_per_atom, abs=1e-9)
    assert all(frame.energy_per_atom > frame.inherent_energy + 0.01 for frame in ladder)


def test_labels_are_those_of_lammps(made):
    """Energy, forces and stress in a fresh instance; the stress also by changing the volume."""
    for frame in load_frames([made], SPECIES)[5:20:7]:
        masses = (63.546, 91.224)
        energies = []
        for scale in (1.0, 1.0 + 1e-5, 1.0 - 1e-5):
            with LammpsSession(
                units="metal", cell=frame.cell * scale, types=frame.types, masses=masses,
                positions=frame.positions * scale, commands=CuZrStepwiseQuench.commands,
            ) as run:  # fmt: skip
                run.run(0)
                energies.append(run.state().potential_energy)
                if scale == 1.0:
                    np.testing.assert_allclose(run.forces(), frame.forces, atol=2e-6)
        assert energies[0] == pytest.approx(frame.energy, abs=1e-5)
        trace = (energies[1] - energies[2]) / 2e-5 / frame.volume
        assert trace == pytest.approx(np.trace(frame.stress), abs=1e-4)


@pytest.mark.slow
def test_it_goes_on_and_does_not_depend_on_the_workers(made, tmp_path):
    out = tmp_path / "again.extxyz.gz"
    make_ensemble("CuZr-ladder", out, count=1, workers=1, progress=False, **TINY)
    assert gzip.decompress(out.read_bytes()) != gzip.decompress(made.read_bytes())
    make_ensemble("CuZr-ladder", out, count=2, workers=2, progress=False, **TINY)
    assert out.read_bytes() == made.read_bytes()


def test_the_external_test_has_other_starts_and_temperatures(made, tmp_path):
    settings = {k: v for k, v in TINY.items() if k in make_recipe("CuZr-external", {}).__dataclass_fields__}
    out = tmp_path / "external.extxyz"
    options = [f"--set={name}={value}" for name, value in settings.items() if name not in ("atoms", "frames")]
    command = ["data", "trajectories", "CuZr-external", "--out", str(out), "--trajectories", "1", "--workers", "1"]
    done = CliRunner().invoke(app, [*command, "--atoms", "32", "--frames", "2", *options])
    assert done.exit_code == 0, done.output
    frames = load_frames([out], SPECIES)
    assert [frame.segment for frame in frames] == ["960K"] * 2 + ["720K"] * 2
    ladder = load_frames([made], SPECIES)
    assert not any(np.allclose(frames[0].cell, frame.cell, atol=1e-4) for frame in ladder)
    recipe = json.loads((tmp_path / "external.extxyz.json").read_text())
    assert recipe["system"] == "CuZr-external" and recipe["settings"]["slow"] == 0.02


def test_errors(tmp_path):
    def refused(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["data", "trajectories", *arguments, "--out", str(tmp_path / "x.extxyz")])
        assert done.exit_code == 1
        return done.output

    assert "has no setting 'sloe' (did you mean 'slow'?)" in refused("CuZr-ladder", "--set", "sloe=1")
    assert "--temperature does not go with CuZr-ladder" in refused("CuZr-ladder", "--temperature", "500")
    assert "--set is for CuZr-ladder, CuZr-external" in refused("si", "--set", "slow=1")
    with pytest.raises(VitrifyError, match="frames is 0, but must be above 0"):
        make_recipe("CuZr-ladder", {"frames": 0})
    assert make_recipe("CuZr-ladder", {"still": 0}).still == 0  # type: ignore[attr-defined]
