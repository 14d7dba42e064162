"""Predictions of fix ogn in the real `lmp` are those of the eager model on a graph built by brute force."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from lammps_inputs.fix_ogn import LJ_CUTOFF, LJ_MASSES, LJ_STEP, lj_liquid, lj_model, relative, save_lj, script, steps
from lammps_runner import FOUR_RANKS, Configuration, Result, run_ok
from toy_ogn import ToyOGN, liquid, metadata_of, predict, save

pytestmark = pytest.mark.lmp

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
METAL_CUTOFF, METAL_STEP, METAL_MASSES = 4.0, 0.01, (63.546, 91.224)


def assert_one_step(result: Result, model: ToyOGN, c: Configuration) -> None:
    tolerance = TOLERANCE[next(model.parameters()).dtype]
    x, v = result.last_frame()
    dr, dv = predict(model, c)
    assert relative(x - c.positions, dr) < tolerance
    assert relative(v - c.velocities, dv) < tolerance


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
@pytest.mark.parametrize(
    ("units", "tilt", "dtype", "reverse"),
    [
        ("lj", 0.0, torch.float32, False),
        ("lj", 0.2, torch.float64, True),
        ("metal", 0.0, torch.float64, False),
        ("metal", 0.2, torch.float32, True),
    ],
)
def test_one_step_equals_eager_python(
    tmp_path: Path, units: str, tilt: float, dtype: torch.dtype, reverse: bool, ranks: int
) -> None:
    if units == "lj":
        cutoff, timestep, masses = LJ_CUTOFF, LJ_STEP, LJ_MASSES
        make: Any = functools.partial(liquid, density=1.0, masses=masses, speed=1.0, tilt=tilt)
    else:
        cutoff, timestep, masses = METAL_CUTOFF, METAL_STEP, METAL_MASSES
        make = functools.partial(liquid, density=0.06, masses=masses, speed=4.0, tilt=tilt)
    model = ToyOGN(cutoff, timestep, masses, reverse).to(dtype)
    save(model, metadata_of(model, make((3, 3, 3)), units, ["Cu", "Zr"]), tmp_path / "toy.pt")
    c = make((6, 5, 5))
    c.write_data(tmp_path / "data.test")
    pair = f"pair_style zero {cutoff} full\npair_coeff * *"
    result = run_ok(script("toy.pt Cu Zr check yes", units, timestep, pair), tmp_path, ranks)
    assert "reference case reproduced" in result.output
    assert "types 1 -> Cu, 2 -> Zr" in result.output
    assert_one_step(result, model, c)


def test_types_are_mapped_by_name(tmp_path: Path) -> None:
    save_lj(tmp_path)
    c = lj_liquid((4, 4, 4))
    swapped = dataclasses.replace(c, types=1 - c.types, masses=c.masses[::-1])
    swapped.write_data(tmp_path / "data.test")
    assert_one_step(run_ok(script("toy.pt B A"), tmp_path), lj_model(), c)


@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_cell_smaller_than_the_cutoff(tmp_path: Path, tilt: float) -> None:
    model = lj_model(True)
    small = lj_liquid((2, 2, 2), tilt, speed=0.5)
    frames = []
    for name, c in (("small", small), ("large", small.replicated((2, 2, 2)))):
        folder = tmp_path / name
        folder.mkdir()
        save_lj(folder, model)
        c.write_data(folder / "data.test")
        frames.append(run_ok(script(after="run 5"), folder, 1 if name == "small" else 2).last_frame())
    expected = steps(model, small, 5)
    assert relative(frames[0][0] - small.positions, expected.positions - small.positions) < 1e-10
    for copy in range(8):
        rows = slice(8 * copy, 8 * copy + 8)
        assert relative(frames[1][1][rows], frames[0][1]) < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [pytest.param(False, marks=pytest.mark.slow), True])
def test_ranks_without_atoms(tmp_path: Path, reverse: bool) -> None:
    model = lj_model(reverse)
    save_lj(tmp_path, model)
    c = lj_liquid((3, 3, 3))
    cell = c.cell.copy()
    cell[0, 0] = 40.0  # the atoms fill less than a tenth of the box
    c = dataclasses.replace(c, cell=cell)
    c.write_data(tmp_path / "data.test")
    source = script().replace("read_data", "processors 4 1 1\nread_data")
    result = run_ok(source, tmp_path, 4)
    assert "4 by 1 by 1 MPI processor grid" in result.output
    assert_one_step(result, model, c)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, FOUR_RANKS])
@pytest.mark.parametrize("reverse", [pytest.param(False, marks=pytest.mark.slow), True])
def test_twenty_predictions_on_any_number_of_ranks(tmp_path: Path, reverse: bool, ranks: int) -> None:
    model = lj_model(reverse)
    c = lj_liquid((5, 5, 4), 0.1, speed=1.5)
    save_lj(tmp_path, model)
    c.write_data(tmp_path / "data.test")
    frames = []
    for number in (1, ranks):
        result = run_ok(script(after="run 20"), tmp_path, number)
        frames.append(result.last_frame())
        builds = next(line for line in result.output.splitlines() if "Neighbor list builds" in line)
        assert int(builds.split()[-1]) > 3  # the lists did change under way
    assert relative(frames[1][0], frames[0][0]) < 1e-6
    assert relative(frames[1][1], frames[0][1]) < 1e-6
    expected = steps(model, c, 20)
    assert relative(frames[0][0], expected.positions) < 1e-6
    assert relative(frames[0][1], expected.velocities) < 1e-6


@pytest.mark.parametrize("skin", [0.1, pytest.param(1.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "pair",
    [
        "pair_style zero 2.5 full\npair_coeff * *",  # the list that the fix wants, exactly
        "pair_style zero 2.5\npair_coeff * *",
        "pair_style zero 3.5 full\npair_coeff * *",
        "pair_style lj/cut 1.2\npair_coeff * * 1.0 1.0",
        "pair_style lj/cut 3.2\npair_coeff * * 1.0 1.0\npair_coeff 2 2 1.0 1.0 1.2",
        "pair_style sw\npair_coeff * * X.sw X X",  # a full list of a many-body style
    ],
)
def test_any_pair_style_and_skin(tmp_path: Path, pair: str, skin: float) -> None:
    save_lj(tmp_path)
    (tmp_path / "X.sw").write_text("X X X 1.0 0.8 1.5 21.0 1.2 -0.333 7.05 0.6 4.0 0.0 0.0\n")
    c = lj_liquid((4, 4, 4))
    c.write_data(tmp_path / "data.test")
    x, v = run_ok(script(pair=pair, skin=skin, after="run 3"), tmp_path, 2).last_frame()
    expected = steps(lj_model(), c, 3)
    assert relative(x, expected.positions) < 1e-10
    assert relative(v, expected.velocities) < 1e-10
