"""The real variants in fix ogn, with both engines: what they predict on any number of ranks, and what they need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ase.units
import numpy as np
import pytest
from ase import Atoms

import model_files
from lammps_inputs.fix_ogn import lj_liquid, relative, save_lj, script
from lammps_runner import FOUR_RANKS, Configuration, run_ok
from toy_ogn import liquid
from vitrify.ogn.ase_dynamics import OGNDynamics
from vitrify.ogn.torchscript import TorchOGN

pytestmark = pytest.mark.lmp


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
@pytest.mark.parametrize(
    ("variant", "engine", "units", "dtype", "tilt"),
    [
        ("pair", "native", "lj", "float32", 0.0),
        pytest.param("pair", "native", "lj", "float64", 0.15, marks=pytest.mark.slow),
        ("pair", "native", "metal", "float64", 0.0),
        pytest.param("pair", "native", "metal", "float32", 0.15, marks=pytest.mark.slow),
        ("pair", "torch", "lj", "float32", 0.15),
        ("pair", "torch", "metal", "float64", 0.15),
        pytest.param("paper", "torch", "lj", "float64", 0.15, marks=pytest.mark.slow),
        ("paper", "torch", "metal", "float32", 0.15),
    ],
)
def test_the_real_variants_between_ranks(
    tmp_path: Path, variant: str, engine: str, units: str, dtype: str, tilt: float, ranks: int
) -> None:
    model = model_files.export(tmp_path / "model.pt", variant, units, dtype)
    metadata = model.metadata
    c = real_liquid(units, (6, 5, 5), tilt)
    c.write_data(tmp_path / "data.test")
    fix = f"model.pt {' '.join(metadata.species)} engine {engine} check yes"
    result = run_ok(real_script(model, fix), tmp_path, ranks)
    assert f"engine {engine}, variant {variant}" in result.output
    x, v = result.last_frame()
    dr, dv = model.predict(c.positions, c.velocities, c.cell, c.types)
    tolerance = metadata.reference.tolerance
    assert relative(x - c.positions, dr) < tolerance
    assert relative(v - c.velocities, dv) < tolerance


def real_liquid(units: str, counts: tuple[int, int, int], tilt: float = 0.0) -> Configuration:
    if units == "lj":
        return liquid(counts, 1.2, (1.0, 2.0), 1.5, tilt)
    return liquid(counts, 0.06, (63.546, 91.224), 4.0, tilt)


def real_script(model: TorchOGN, fix: str, **settings: Any) -> str:
    pair = "pair_style zero 1.0\npair_coeff * *"
    return script(fix, model.metadata.units, model.metadata.timestep, pair, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, FOUR_RANKS])
@pytest.mark.parametrize("moments", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_twenty_native_predictions_on_any_number_of_ranks_and_threads(tmp_path: Path, moments: int, ranks: int) -> None:
    model = model_files.export(tmp_path / "model.pt", dtype="float64", hyperparameters={"moments": moments})
    c = real_liquid("lj", (6, 5, 5), 0.1)
    c.write_data(tmp_path / "data.test")
    source = real_script(model, "model.pt A B engine native guard no", after="run 20")
    frames = []
    for number, threads in ((1, 1), (1, 2), (ranks, 1)):
        result = run_ok(source, tmp_path, number, threads)
        frames.append(result.last_frame())
        builds = next(line for line in result.output.splitlines() if "Neighbor list builds" in line)
        assert int(builds.split()[-1]) > 3
    x, v = c.positions, c.velocities
    for _ in range(20):
        dr, dv = model.predict(x, v, c.cell, c.types)
        x, v = x + dr, v + dv
    for got in frames:
        assert relative(got[0], x) < 1e-6
        assert relative(got[1], v) < 1e-6


@pytest.mark.parametrize("tilt", [0.0, 0.15])
@pytest.mark.parametrize("heap", [0, pytest.param(2, marks=pytest.mark.slow), 400])
def test_a_box_without_ghosts_is_one_with_ghosts(tmp_path: Path, tilt: float, heap: int) -> None:
    """One rank with a box of three cutoffs or more does without ghosts in single precision, several ranks do not.

    A heap of atoms has forces, and then neighbours, for which 32 bits are too few: on the ranks that see it.
    """
    model = model_files.export(tmp_path / "model.pt", dtype="float32")
    c = real_liquid("lj", (9, 8, 8), tilt)
    if heap:
        c.positions[:heap] = c.cell.sum(0) * [0.49, 0.2, 0.2] + 0.05 * np.random.default_rng(3).normal(size=(heap, 3))
    c.write_data(tmp_path / "data.test")
    source = real_script(model, "model.pt A B engine native guard no", after="run 2")
    frames = [run_ok(source, tmp_path, ranks).last_frame() for ranks in (1, 2, 4)]
    for x, v in frames[1:]:
        assert relative(x - c.positions, frames[0][0] - c.positions) < 1e-6
        assert relative(v - c.velocities, frames[0][1] - c.velocities) < 1e-6
    masses = np.array(c.masses)[c.types]
    for _, v in frames:
        assert np.abs(masses @ (v - c.velocities)).max() < 1e-15 * np.abs(masses[:, None] * v).sum()


@pytest.mark.parametrize(
    "pair",
    [
        "pair_style none",
        "pair_style zero 0.3\npair_coeff * *",
        "pair_style lj/cut 1.2\npair_coeff * * 1.0 0.8",
        "pair_style lj/cut 3.2\npair_coeff * * 1.0 0.8\nneigh_modify exclude type 1 2",  # of no concern to the model
    ],
)
@pytest.mark.parametrize("skin", [pytest.param(0.05, marks=pytest.mark.slow), 1.0])
def test_the_native_engine_needs_no_neighbour_lists(tmp_path: Path, pair: str, skin: float) -> None:
    model = model_files.export(tmp_path / "model.pt", dtype="float64")
    c = real_liquid("lj", (5, 5, 4), 0.1)
    c.write_data(tmp_path / "data.test")
    result = run_ok(script("model.pt A B guard no", pair=pair, skin=skin, after="run 3"), tmp_path, 2)
    assert "fix ogn, perpetual" not in result.output
    x, v = c.positions, c.velocities
    for _ in range(3):
        dr, dv = model.predict(x, v, c.cell, c.types)
        x, v = x + dr, v + dv
    got = result.last_frame()
    assert relative(got[0] - c.positions, x - c.positions) < 1e-9
    assert relative(got[1] - c.velocities, v - c.velocities) < 1e-9


def test_a_profile_of_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_files.export(tmp_path / "model.pt", dtype="float32")
    real_liquid("lj", (5, 5, 5)).write_data(tmp_path / "data.test")
    source = real_script(model, "model.pt A B engine native guard no", after="run 3\nrun 2")
    assert "us for each atom" not in run_ok(source, tmp_path).output
    monkeypatch.setenv("VITRIFY_PROFILE", "1")
    for ranks in (1, 2):
        lines = [line for line in run_ok(source, tmp_path, ranks).output.splitlines() if "us for each atom" in line]
        assert [line.split()[-2] for line in lines] == ["3", "2"]
        for line in lines:
            found = re.fullmatch(
                r"fix ogn: us for each atom and stride: search (\S+), stages (.*), update (\S+), exchange (\S+), "
                r"host (\S+), all (\S+); (\S+) pairs for each atom, \d strides",
                line,
            )
            assert found, line
            *parts, whole, pairs = (float(found[k]) for k in (1, 3, 4, 5, 6, 7))
            stages = [float(one) for one in found[2].split()]
            assert len(stages) == model.metadata.layers
            assert np.isclose(sum(stages) + sum(parts), whole, atol=0.01)
            assert pairs > 10.0


def test_lammps_and_ase_agree(tmp_path: Path) -> None:
    model = model_files.export(tmp_path / "model.pt", units="metal", dtype="float64")
    c = real_liquid("metal", (4, 4, 4), 0.1)
    c.write_data(tmp_path / "data.test")
    x, v = run_ok(real_script(model, "model.pt Cu Zr engine native", after="run 5"), tmp_path, 2).last_frame()
    atoms = Atoms(np.array(["Cu", "Zr"])[c.types], c.positions, cell=c.cell, pbc=True)
    atoms.set_masses(np.array(c.masses)[c.types])
    atoms.set_velocities(c.velocities / (1000 * ase.units.fs))  # A/ps
    OGNDynamics(atoms, tmp_path / "model.pt").run(5)
    assert relative(atoms.positions, x) < 1e-10
    assert relative(atoms.get_velocities() * 1000 * ase.units.fs, v) < 1e-10


@pytest.mark.parametrize(("fix", "loaded"), [("toy.pt A B", True), ("native.pt A B", False)])
def test_torch_is_loaded_for_the_models_that_need_it(tmp_path: Path, fix: str, loaded: bool) -> None:
    save_lj(tmp_path)
    model_files.export(tmp_path / "native.pt")
    lj_liquid((4, 4, 4)).write_data(tmp_path / "data.test")
    # LAMMPS runs a shell, which runs the script: lmp is the parent of the parent
    (tmp_path / "count.sh").write_text(
        "lmp=$(cut -d' ' -f4 /proc/$PPID/stat)\necho libtorch files: $(grep -c libtorch_cpu /proc/$lmp/maps)\n"
    )
    after = "run 1\nshell sh count.sh"
    result = run_ok(script(fix, before="shell sh count.sh", after=after), tmp_path)
    counts = [int(line.split()[-1]) for line in result.output.splitlines() if line.startswith("libtorch files")]
    assert counts[0] == 0
    assert (counts[1] > 0) == loaded
