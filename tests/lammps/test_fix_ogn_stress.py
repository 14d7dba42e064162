"""The stress of a stride in the real `lmp`: against the eager model, on any number of ranks, and in barostats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lammps_runner import FOUR_RANKS, Array, Configuration, run_lammps, run_ok
from native_models.ogn import MASSES, liquid, make_model, write
from vitrify.graphs.neighbours import build_graph

pytestmark = pytest.mark.lmp

RANKS = pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
SOFT = "pair_style soft 1.5\npair_coeff * * 1.0"


def prepare(
    folder: Path, shape: str = "two cutoffs", dtype: str = "float32", stress: int = 1, tilt: float = 0.15
) -> Any:
    """A model and a liquid in `folder`; returns both."""
    model = make_model(shape, stress=stress)
    write(folder / "toy.pt", model, dtype)
    positions, velocities, cell, types = liquid(6, tilt)
    wrapped = (np.linalg.solve(cell.T, positions.T).T % 1.0) @ cell
    c = Configuration(cell, wrapped, 0.1 * velocities, types, MASSES[:2])
    c.write_data(folder / "data.test")
    return model, c


def virial(model: Any, c: Configuration) -> Array:
    graph = build_graph(c.positions, c.velocities, c.cell, c.types, model.cutoff, torch.float64)
    with torch.no_grad():
        return np.asarray(model.double().forward_with_virial(*graph)[2].sum(0))


def script(pair: str = "pair_style none", fix: str = "", more: str = "", run: str = "run 2") -> str:
    return f"""\
units lj
atom_style atomic
read_data data.test
{pair}
neighbor 0.5 bin
neigh_modify every 1 delay 0 check yes
timestep 0.025
fix 1 all ogn toy.pt A B guard no {fix}
compute w all pressure NULL virial
variable v equal vol
{more}
thermo_style custom step c_w[1] c_w[2] c_w[3] c_w[4] c_w[5] c_w[6] press pxx ke vol
thermo_modify norm no format float %.12g
thermo 1
{run}
"""


def rows(output: str) -> Array:
    """Virial pressures of each step, then press, pxx, kinetic energy and volume."""
    found: list[list[float]] = []
    for line in output.splitlines():
        words = line.split()
        if len(words) == 11 and words[0].isdigit():
            found.append([float(word) for word in words[1:]])
    return np.array(found)


@RANKS
@pytest.mark.parametrize(
    ("shape", "dtype", "tolerance"),
    [("two cutoffs", "float32", 1e-5), ("angles, two cutoffs", "float64", 1e-9)],
)
def test_the_pressure_is_that_of_the_eager_model(
    shape: str, dtype: str, tolerance: float, ranks: int, tmp_path: Path
) -> None:
    """The first row has the stress of the stride that begins there, the second that of the same stride, which ended."""
    model, c = prepare(tmp_path, shape, dtype)
    found = rows(run_ok(script(), tmp_path, ranks).output)
    expected = virial(model, c) / np.linalg.det(c.cell)
    for row in found[:2]:
        assert np.abs(row[:6] - expected).max() < tolerance * np.sqrt(np.mean(expected**2))
        volume, kinetic = row[9], row[8]
        assert row[6] == pytest.approx(2 * kinetic / (3 * volume) + row[:3].mean(), rel=1e-9)
    assert np.abs(found[2, :6] - expected).max() > 1e-3 * np.abs(expected).max()  # another stride


def test_ranks_give_the_same(tmp_path: Path) -> None:
    prepare(tmp_path)
    found = [rows(run_ok(script(run="run 5"), tmp_path, ranks).output)[:, :6] for ranks in (1, 2)]
    assert np.abs(found[0][:2] - found[1][:2]).max() < 1e-6 * np.abs(found[0]).max()


def test_a_real_pair_style_is_not_counted_twice(tmp_path: Path) -> None:
    prepare(tmp_path)
    own = rows(run_ok(script(), tmp_path).output)[0, :6]
    pair = rows(run_ok(script(SOFT), tmp_path).output)[0, :6]
    both = rows(run_ok(script(SOFT, more="fix_modify 1 virial yes"), tmp_path).output)[0, :6]
    none = rows(run_ok(script(more="fix_modify 1 virial no"), tmp_path).output)[0, :6]
    assert not none.any() and np.abs(pair).max() > 0 and np.abs(own - pair).max() > 1e-3
    np.testing.assert_allclose(both, own + pair, rtol=1e-9, atol=1e-9)


def test_strides_by_md_have_the_mean_virial_of_the_pair_style(tmp_path: Path) -> None:
    """`validate 1` takes each stride in steps of MD: here, of a run of them without the model."""
    prepare(tmp_path)
    taken = run_ok(script(SOFT, "validate 1", "fix_modify 1 virial yes", "run 1"), tmp_path)
    stride = rows(taken.output)[1, :6]
    steps = rows(run_ok(script(SOFT, run="run 5").replace("fix 1 all ogn toy.pt A B guard no", "fix 1 all nve")
                        .replace("timestep 0.025", "timestep 0.005"), tmp_path).output)[:, :6]  # fmt: skip
    mean = (steps[1:-1].sum(0) + 0.5 * (steps[0] + steps[-1])) / (len(steps) - 1)
    # The pair style's own virial of the last moment is counted, too.
    np.testing.assert_allclose(stride - steps[-1], mean, rtol=1e-8, atol=1e-10)


@RANKS
def test_a_barostat_goes_by_the_stress_of_the_model(ranks: int, tmp_path: Path) -> None:
    """The box grows or shrinks towards the pressure that is wanted, with the same noise on any number of ranks."""
    prepare(tmp_path, tilt=0.0)
    words = "iso 40.0 40.0 0.5 temp 0.03 0.03 modulus 100 seed 3"
    result = run_ok(script(fix=words, run="run 20"), tmp_path, ranks)
    assert "by the pressure of the model" in result.output
    found = rows(result.output)
    assert not np.array_equal(found[0, 9:], found[-1, 9:])
    assert np.sign(found[5, 9] - found[0, 9]) == np.sign(found[0, 6] - 40.0)
    if ranks == 1:
        other = rows(run_ok(script(fix=words, run="run 20"), tmp_path, 2).output)
        np.testing.assert_allclose(found[:6, 9], other[:6, 9], rtol=1e-6)


@pytest.mark.parametrize(
    ("fix", "stress", "message"),
    [
        ("iso 1 1 1 temp 1 1 pressure model", 0, "pressure model is not to be had: the model does not tell the stress"),
        ("iso 1 1 1 temp 1 1", 0, "needs the pressure: the model does not tell the stress of a stride"),
        ("iso 1 1 1 temp 1 1 pressure pair", 1, "needs the pressure: it is to be that of the pair style"),
        ("iso 1 1 1 temp 1 1 pressure none", 1, "pressure must be pair or model, got none"),
    ],
)
def test_what_cannot_be(fix: str, stress: int, message: str, tmp_path: Path) -> None:
    prepare(tmp_path, stress=stress)
    assert message in run_lammps(script(fix=fix), tmp_path).error()


def test_a_model_without_stress_leaves_pressure_to_others(tmp_path: Path) -> None:
    prepare(tmp_path, stress=0)
    assert not rows(run_ok(script(), tmp_path).output)[:, :6].any()
    error = run_lammps(script(more="fix_modify 1 virial yes"), tmp_path).error()
    assert "virial" in error
