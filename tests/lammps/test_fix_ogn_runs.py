"""fix ogn beside other commands of LAMMPS: runs in a row, minimization, fixes, restarts; held energy and Langevin."""

from __future__ import annotations

import dataclasses
import functools
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from lammps_inputs.fix_ogn import (
    LJ_CUTOFF,
    LJ_MASSES,
    LJ_PAIR,
    LJ_STEP,
    lj_liquid,
    lj_model,
    relative,
    save_lj,
    script,
    set_thermo,
    steps,
)
from lammps_runner import FOUR_RANKS, run_lammps, run_ok
from toy_ogn import ToyOGN

pytestmark = pytest.mark.lmp

SOFT_PAIR = "pair_style soft 2.5\npair_coeff * * 2.0"  # bounded, wherever the toy moves the atoms


def test_run_0_leaves_atoms_and_later_runs_continue(tmp_path: Path) -> None:
    save_lj(tmp_path)
    c = lj_liquid((4, 4, 4))
    c.write_data(tmp_path / "data.test")
    x, v = run_ok(script(after="run 0"), tmp_path).last_frame()
    assert np.abs(x - c.positions).max() < 1e-12
    assert np.abs(v - c.velocities).max() < 1e-12
    x, _ = run_ok(script(after="run 2\nrun 1\nrun 1 pre no"), tmp_path).last_frame()
    assert relative(x, steps(lj_model(), c, 4).positions) < 1e-10


def test_minimization_with_the_fix_defined(tmp_path: Path) -> None:
    save_lj(tmp_path)
    lj_liquid((4, 4, 4)).write_data(tmp_path / "data.test")
    first = run_ok(script(pair=LJ_PAIR, after="minimize 0 1e-3 50 100\nrun 1"), tmp_path)
    assert first.status == 0
    energies = first.thermo()["PotEng"]
    assert energies[1] < energies[0]


@pytest.mark.slow
def test_composes_with_fixes_that_act_on_velocities(tmp_path: Path) -> None:
    save_lj(tmp_path)
    lj_liquid((4, 4, 4)).write_data(tmp_path / "data.test")
    before = """\
fix t all temp/csvr 0.7 0.7 0.05 4711
fix m all momentum 1 linear 1 1 1
fix s all store/force
fix a all ave/time 1 10 10 c_thermo_temp
variable t equal step
fix h all halt 1 v_t >= 60 error continue
"""
    result = run_ok(script(pair=LJ_PAIR, before=before, after="run 100"), tmp_path, 2)
    temperature = result.thermo()["Temp"]
    assert 60 <= len(temperature) <= 61  # halted
    assert abs(temperature[30:].mean() - 0.7) < 0.07
    _, v = result.last_frame()
    masses = np.array(LJ_MASSES)[lj_liquid((4, 4, 4)).types]
    assert np.abs(masses @ v).max() < 1e-10


def test_rescale_holds_the_energy_and_restarts(tmp_path: Path) -> None:
    save_lj(tmp_path)
    c = lj_liquid((4, 4, 4))
    drifting = dataclasses.replace(c, velocities=c.velocities + np.array([0.3, 0.0, 0.0]))
    drifting.write_data(tmp_path / "data.test")
    fix = "toy.pt A B energy rescale"
    columns = "f_1 f_1[1] f_1[4] f_1[5] f_1[6] f_1[7]"
    make = functools.partial(script, fix, pair=SOFT_PAIR)
    after = f"{set_thermo(columns)}run 6\nwrite_restart r.6\nrun 6"
    full = run_ok(make(after=after), tmp_path)
    thermo = full.thermo()
    energy = thermo["TotEng"]
    assert np.abs(energy / energy[0] - 1.0).max() < 1e-10
    assert np.allclose(thermo["f_1[5]"], energy[0], rtol=1e-12)
    assert np.abs(thermo["f_1[6]"][1:] - 1.0).max() > 1e-6  # there was something to do
    # what left the atoms is what the model put in
    model_energy = np.cumsum(np.diff(thermo["PotEng"][:7]) + thermo["f_1[4]"][1:7])
    assert np.allclose(thermo["f_1"][1:7], model_energy, atol=1e-10)
    # only the model changes the momentum
    x, v = full.last_frame()
    mass = np.array(LJ_MASSES)[c.types]
    momenta = np.delete(thermo["f_1[1]"], [0, 7])
    assert abs(mass @ (v - drifting.velocities)[:, 0] - momenta.sum()) < 1e-10

    read = make(after=f"{set_thermo(columns)}run 6")
    read = read.replace("read_data    data.test", "read_restart r.6")
    # an offset would be taken for the energy to hold if the restart file did not keep it
    read = read.replace("fix          1", "velocity all scale 0.9\nfix          1")
    again = run_ok(read, tmp_path, 2)
    assert again.thermo()["f_1[7]"][0] == 6
    assert abs(again.thermo()["f_1"][0] - thermo["f_1"][6]) < 1e-10
    assert np.allclose(again.thermo()["TotEng"][1:], energy[0], rtol=1e-10)
    resumed = run_ok(read.replace("velocity all scale 0.9\n", ""), tmp_path, 2).last_frame()
    assert relative(resumed[0], x) < 1e-6
    assert relative(resumed[1], v) < 1e-6


@pytest.fixture(scope="module")
def restart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and a restart file r.6 after six strides."""
    folder = tmp_path_factory.mktemp("restart")
    save_lj(folder)
    lj_liquid((4, 4, 4)).write_data(folder / "data.test")
    run_ok(script("toy.pt A B energy rescale", pair=SOFT_PAIR, after="run 6\nwrite_restart r.6"), folder)
    return folder


def with_state(path: Path, *state: float) -> bytes:
    """The restart file with these doubles in place of the fix's own."""
    data = path.read_bytes()
    name = b"ogn\0" + struct.pack("i", 8 * 8)
    assert data.count(name) == 1
    start = data.index(name) + 4
    assert struct.unpack_from("d", data, start + 4) == (3.0,)
    replaced = struct.pack(f"=i{len(state)}d", 8 * len(state), *state)
    return data[:start] + replaced + data[start + 4 + 8 * 8 :]


def read_state(folder: Path, *state: float) -> str:
    """An input that goes on from the restart file with these doubles."""
    (folder / "r.other").write_bytes(with_state(folder / "r.6", *state))
    columns = set_thermo("f_1 f_1[5] f_1[7] f_1[8]")
    source = script("toy.pt A B energy rescale", pair=SOFT_PAIR, after=f"{columns}run 0")
    return source.replace("read_data    data.test", "read_restart r.other")


@pytest.mark.parametrize(
    "state", [(1.0, -3.5, 0.25, 6.0, 2.0), (2.0, 1.0, -3.5, 0.25, 6.0, 2.0), (3.0, 1.0, -3.5, 0.25, 6.0, 2.0, 4.0, 0.5)]
)
def test_restart_files_of_all_formats(restart: Path, state: tuple[float, ...]) -> None:
    """Files of the first versions hold five doubles and no format number, and those of the next no barostat."""
    thermo = run_ok(read_state(restart, *state), restart, 2).thermo()
    assert [thermo[name][0] for name in ("f_1[5]", "f_1", "f_1[7]", "f_1[8]")] == [-3.5, 0.25, 6.0, 2.0]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ((4.0, 1.0, -3.5, 0.25, 6.0, 2.0, 0.0), "of format 4, but this version reads formats up to 3: use the version"),
        (
            (3.0, 1.0, -3.5, 0.25, 6.0, 2.0, -1.0, 0.0),
            "damaged: .* -1 changes of the box and their energy 0 make no se",
        ),
        ((3.0, 1.0, -3.5, 0.25, 6.0, 2.0, 1.0, float("nan")), "damaged: .* their energy -?nan make no sense"),
        ((0.5, 1.0, -3.5, 0.25, 6.0, 2.0), "damaged: 0.5 is no format"),
        ((float("nan"), 1.0, -3.5, 0.25, 6.0, 2.0), "damaged: -?nan is no format"),
        ((2.0, 1.5, -3.5, 0.25, 6.0, 2.0), "damaged: target 1.5"),
        ((2.0, 1.0, float("inf"), 0.25, 6.0, 2.0), "damaged: target 1 inf"),
        ((2.0, 1.0, -3.5, 0.25, -6.0, 2.0), "damaged: .* -6 predictions, 2 fallbacks, 0 changes .* make no sense"),
        ((1.0, -3.5, 0.25, 6.0, 2.5), "damaged: .* 6 predictions, 2.5 fallbacks, 0 changes .* make no sense"),
    ],
)
def test_restart_files_that_make_no_sense(restart: Path, state: tuple[float, ...], expected: str) -> None:
    message = run_lammps(read_state(restart, *state), restart).error()
    assert re.search(f"fix ogn: the restart file's data of fix 1 cannot be used: they are {expected}", message), message


@pytest.mark.parametrize(("before", "expected"), [("", 1.3), ("comm_modify cutoff 2.0", 2.0)])
def test_unfix_puts_the_ghost_cutoff_back(tmp_path: Path, before: str, expected: float) -> None:
    """To what the user has set before the fix or after it."""
    save_lj(tmp_path)
    lj_liquid((4, 4, 4)).write_data(tmp_path / "data.test")
    after = f"run 1\n{before}\nunfix 1\nundump out\nfix 1 all nve\ntimestep 0.001\nrun 1"
    result = run_ok(script(pair="pair_style zero 1.0\npair_coeff * *", after=after), tmp_path, 2)
    cutoffs = re.findall(r"ghost atom cutoff = (\S+)", result.output)
    assert [float(x) for x in cutoffs] == [LJ_CUTOFF + 0.3, expected]


def test_langevin_is_exact_for_free_flight(tmp_path: Path) -> None:
    model = ToyOGN(LJ_CUTOFF, LJ_STEP, LJ_MASSES, False).double().without_interaction()
    save_lj(tmp_path, model)
    c = lj_liquid((6, 6, 6), speed=0.3)
    c.write_data(tmp_path / "data.test")
    fix = "toy.pt A B langevin 1.5 0.2 12345"
    after = f"undump out\ncompute_modify thermo_temp extra/dof 0\n{set_thermo('f_1')}run 400"
    thermo = run_ok(script(fix, after=after), tmp_path).thermo()
    # mean over 3 * 216 squared normal numbers and 380 steps; energy is forgotten within damp / 2 = 4 steps
    assert abs(thermo["Temp"][20:].mean() / 1.5 - 1.0) < 5 * np.sqrt(2 / (3 * 216) * 2 * 4 / 380)
    # the decay towards it has the damping time: <T(t)> = T + (T0 - T) exp(-2 t / damp)
    t = LJ_STEP * np.arange(9)
    expected = 1.5 + (thermo["Temp"][0] - 1.5) * np.exp(-2 * t / 0.2)
    assert np.abs(thermo["Temp"][:9] / expected - 1.0).max() < 0.25
    # and the energy that it adds is accounted for
    balance = thermo["TotEng"] + thermo["f_1"]
    assert np.abs(balance - balance[0]).max() < 1e-9


@pytest.mark.parametrize("ranks", [2, FOUR_RANKS])
def test_langevin_noise_is_independent_of_ranks(tmp_path: Path, ranks: int) -> None:
    save_lj(tmp_path)
    lj_liquid((4, 4, 4)).write_data(tmp_path / "data.test")
    source = script("toy.pt A B langevin 1.0 0.5 7", after="run 4")
    frames = [run_ok(source, tmp_path, number).last_frame() for number in (1, ranks)]
    assert relative(frames[1][1], frames[0][1]) < 1e-9
    other = run_ok(source.replace("0.5 7", "0.5 8"), tmp_path).last_frame()
    assert relative(other[1], frames[0][1]) > 0.1
