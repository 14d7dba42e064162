"""What fix ogn does with the pair style: force calls only where they are read, strides that MD validates, boxes that
change between strides."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

import model_files
from lammps_inputs.fix_ogn import LJ_PAIR, LJ_STEP, lj_liquid, lj_model, relative, script, set_thermo, steps
from lammps_runner import DUMP, FOUR_RANKS, Array, Configuration, run_lammps, run_ok
from toy_ogn import metadata_of, save

pytestmark = pytest.mark.lmp

TILTS = pytest.mark.parametrize("tilt", [0.0, 0.25])
RANKS = pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
SOFT_PAIR = "pair_style soft 2.5\npair_coeff * * 2.0"  # bounded, wherever the toy moves the atoms
WAYS = ("auto", "every")
SELDOM = DUMP.replace("custom 1", "custom 4")


def prepare(folder: Path, tilt: float = 0.0, metrics: dict[str, float] | None = None) -> Configuration:
    """Writes the toy model and a liquid, which it returns."""
    described = metadata_of(lj_model(), lj_liquid((3, 3, 3), 0.2), "lj", ["A", "B"], metrics=metrics or {})
    save(lj_model(), described, folder / "toy.pt")
    c = lj_liquid((4, 4, 4), tilt)
    c.write_data(folder / "data.test")
    return c


def seldom(fix: str, after: str = "run 10", before: str = "", columns: str = "press f_1[10]") -> str:
    """An input whose thermo output is of each fifth step, and whose dump is of each fourth."""
    text = script(fix, pair=SOFT_PAIR, before=before, after=f"{set_thermo(columns)}thermo 5\n{after}")
    return text.replace(DUMP, SELDOM + "dump f all custom 4 forces.dump id fx fy fz\ndump_modify f sort id\n")


@RANKS
def test_forces_are_computed_where_they_are_read(ranks: int, tmp_path: Path) -> None:
    prepare(tmp_path)
    found = {}
    for way in WAYS:
        result = run_ok(seldom(f"toy.pt A B pair {way}"), tmp_path, ranks)
        found[way] = result.thermo(), *result.last_frame(), result.rows("forces.dump"), result.output
    auto, every = found["auto"], found["every"]
    for name in ("Temp", "PotEng", "Press"):
        assert np.array_equal(auto[0][name], every[0][name])
    for one, other in zip(auto[1:4], every[1:4], strict=True):
        assert np.array_equal(one, other)  # step 8, of which the dump reads forces
    # of ten strides those of steps 4, 5, 8 and 10
    assert auto[0]["f_1[10]"].tolist() == [0, 2, 4] and every[0]["f_1[10]"].tolist() == [0, 5, 10]
    assert "the pair style was computed in 4 of 10 strides, where its energies or forces were read" in auto[4]
    assert "the pair style was computed" not in every[4]


def test_fixes_that_average_forces_get_them(tmp_path: Path) -> None:
    """They announce their steps to LAMMPS."""
    prepare(tmp_path)
    before = "fix a all ave/atom 1 4 6 fx fy\ndump a all custom 6 means.dump id f_a[1] f_a[2]\ndump_modify a sort id\n"
    auto, every = (
        run_ok(seldom(f"toy.pt A B pair {way}", "run 7", before), tmp_path).rows("means.dump") for way in WAYS
    )
    assert np.array_equal(auto, every) and np.ptp(auto[:, 1:]) > 0.1
    # a fix that stores forces counts on them
    result = run_ok(seldom("toy.pt A B", "run 5", "fix s all store/force\n"), tmp_path)
    assert result.thermo()["f_1[10]"].tolist() == [0, 5]


@pytest.mark.parametrize("fix", ["energy rescale", "guard yes fallback 4", "validate 3"])
def test_what_the_fix_reads_itself_is_computed(fix: str, tmp_path: Path) -> None:
    prepare(tmp_path)
    hot = "velocity all scale 6.0\n" if "fallback" in fix else ""  # above the range, so that all strides fall back
    runs = [run_ok(seldom(f"toy.pt A B {fix} pair {way}", before=hot), tmp_path) for way in WAYS]
    for name in ("Temp", "PotEng"):
        assert np.array_equal(runs[0].thermo()[name], runs[1].thermo()[name])
    assert np.array_equal(runs[0].rows(), runs[1].rows())


def test_an_error_in_a_stride_without_forces_ends_lammps_in_order(tmp_path: Path) -> None:
    prepare(tmp_path)
    hot = "fix heat all temp/rescale 1 3 40 0.001 1.0\n"
    assert "temperature" in run_lammps(seldom("toy.pt A B", "run 50", hot), tmp_path).error()


def one_md_stride(folder: Path, substeps: int) -> Configuration:
    """Where plain LAMMPS takes the liquid in the time of one stride."""
    text = script(pair=LJ_PAIR, timestep=LJ_STEP / substeps, after=f"run {substeps}")
    result = run_ok(re.sub(r"fix +1 all ogn .*", "fix 1 all nve", text), folder)
    x, v = result.last_frame()
    return dataclasses.replace(lj_liquid((4, 4, 4)), positions=x, velocities=v)


def rms(x: Array) -> float:
    return float(np.sqrt((x**2).mean()))


@RANKS
def test_validated_strides_are_exact_and_tell_the_error(ranks: int, tmp_path: Path) -> None:
    c = prepare(tmp_path)
    exact, predicted = one_md_stride(tmp_path, 5), steps(lj_model(), c, 1)
    columns = set_thermo("f_1[7] f_1[11] f_1[12] f_1[13]")
    result = run_ok(script("toy.pt A B validate 2", pair=LJ_PAIR, after=f"{columns}run 1"), tmp_path, ranks)
    x, v = result.last_frame()
    assert relative(x, exact.positions) < 1e-9 and relative(v, exact.velocities) < 1e-9
    last = {name: values[-1] for name, values in result.thermo().items()}
    assert (last["f_1[7]"], last["f_1[11]"]) == (0, 1)
    assert last["f_1[12]"] == pytest.approx(rms(exact.positions - predicted.positions), rel=1e-6)
    assert last["f_1[13]"] == pytest.approx(rms(exact.velocities - predicted.velocities), rel=1e-6)
    assert "1 strides were validated by MD" in result.output
    assert "the file does not tell what it was after training" in result.output

    # the third stride is validated, too, and the second is the model's
    result = run_ok(script("toy.pt A B validate 2", pair=LJ_PAIR, after=f"{columns}run 3"), tmp_path, ranks)
    assert result.thermo()["f_1[11]"].tolist() == [0, 1, 1, 2] and result.thermo()["f_1[7]"][-1] == 1


def test_a_model_that_is_not_good_here(tmp_path: Path) -> None:
    c = prepare(tmp_path)
    error = steps(lj_model(), c, 1).positions - one_md_stride(tmp_path, 5).positions
    prepare(tmp_path, metrics={"rmse_dr": rms(error) / 5, "rmse_dv": 1e3})
    text = script("toy.pt A B validate 1", pair=LJ_PAIR, after="run 2\nrun 1")
    output = run_ok(text, tmp_path).output
    warnings = re.findall(r"WARNING: fix ogn: at step (\d+) the prediction of the stride is off by .*", output)
    assert warnings == ["1", "3"]  # once in a run
    assert re.search(r"off by \S+ in positions and .*, 5 and \S+ times what it was after training", output)
    message = run_lammps(text.replace("validate 1", "validate 1 4.0"), tmp_path).error()
    assert "5 and" in message and "(validate stops beyond 4)" in message
    assert "WARNING: fix ogn: at step" not in run_ok(text.replace("validate 1", "validate 1 6.0"), tmp_path).output


@pytest.mark.parametrize(
    ("fix", "pair", "says"),
    [
        ("pair never", LJ_PAIR, "pair never is unknown: use auto or every"),
        ("validate 0", LJ_PAIR, "validate wants a number of strides >= 1"),
        ("validate 5 0.0", LJ_PAIR, "a tolerance > 0 to stop beyond it, got 5 0.0"),
        ("validate 5", "pair_style zero 2.5\npair_coeff * *", "validate needs forces: use the real pair style"),
    ],
)
def test_words_that_make_no_sense(fix: str, pair: str, says: str, tmp_path: Path) -> None:
    prepare(tmp_path)
    assert says in run_lammps(script(f"toy.pt A B {fix}", pair=pair), tmp_path).error()


@TILTS
@RANKS
def test_a_box_that_is_deformed_between_strides(tilt: float, ranks: int, tmp_path: Path) -> None:
    """Against eager strides, after each of which positions and cell are scaled by hand."""
    c = prepare(tmp_path, tilt)
    strides, rate = 8, 0.4
    before = f"fix d all deform 1 x erate {rate} y erate -{rate} remap x\n"
    if tilt:
        before = f"fix d all deform 1 xy erate {rate} remap x\n"
    result = run_ok(script("toy.pt A B", before=before, after=f"run {strides}"), tmp_path, ranks)
    cell = c.cell
    for stride in range(1, strides + 1):
        c = steps(lj_model(), c, 1)
        strain, changed = stride * LJ_STEP * rate, cell.copy()
        if tilt:
            changed[1, 0] += strain * cell[1, 1]
        else:
            changed[0, 0] *= 1 + strain
            changed[1, 1] *= 1 - strain
        inside = (c.positions - origin(cell, c.cell)) @ np.linalg.inv(c.cell)
        c = dataclasses.replace(c, cell=changed, positions=inside @ changed + origin(cell, changed))
    x, v = result.last_frame()
    assert relative(x, c.positions) < 1e-8 and relative(v, c.velocities) < 1e-8


def origin(first: Array, now: Array) -> Array:
    """The lower corner of a box that grows from its middle and was at zero at first."""
    return 0.5 * (np.diag(first) - np.diag(now))


@RANKS
def test_a_barostat_of_lammps_with_the_pressure_of_the_pair_style(ranks: int, tmp_path: Path) -> None:
    """The lengths follow the pressure of each step by the formula that fix press/berendsen documents."""
    prepare(tmp_path)
    damp, modulus, target = 2.0, 50.0, 1.0
    before = f"fix b all press/berendsen iso {target} {target} {damp} modulus {modulus}\n"
    after = f"{set_thermo('c_b_press lx')}run 30"
    found = run_ok(script("toy.pt A B", pair=SOFT_PAIR, before=before, after=after), tmp_path, ranks).thermo()
    lengths, pressures = found["Lx"], found["c_b_press"]
    growth = lengths[1:] / lengths[:-1]
    before_it = pressures[1:] * growth**3  # thermo output comes after the box has changed
    expected = (1 - LJ_STEP / damp * (target - before_it) / modulus) ** (1 / 3)
    assert np.abs(growth - expected).max() < 1e-10
    assert abs(lengths[-1] / lengths[0] - 1) > 1e-3


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("fix 2 all deform 1 x scale 1.1 remap v", "fix 2 deform changes velocities where atoms cross.*use remap x"),
        ("fix 2 all press/berendsen iso 0 0 1.0", "fix 2 press/berendsen needs the pressure.*use the real pair style"),
        ("fix 2 all nph iso 0 0 1.0", "fix 2 nph moves the atoms, too"),
    ],
)
def test_what_changes_the_box_in_another_way_is_refused(before: str, says: str, tmp_path: Path) -> None:
    prepare(tmp_path)
    assert re.search(says, run_lammps(script(before=before), tmp_path).error())


def test_a_held_energy_and_a_box_that_changes(tmp_path: Path) -> None:
    prepare(tmp_path)
    text = script("toy.pt A B energy rescale", pair=LJ_PAIR, before="fix 2 all deform 1 x erate 0.1 remap x\n")
    assert "energy rescale holds the energy, and fix 2 deform changes it" in run_lammps(text, tmp_path).error()


@TILTS
@RANKS
def test_both_engines_follow_a_box_that_changes(tilt: float, ranks: int, tmp_path: Path) -> None:
    """In a box that is wide enough for the native engine to do without ghosts on one rank."""
    model_files.export(tmp_path / "native.pt")
    lj_liquid((8, 8, 8), tilt).write_data(tmp_path / "data.test")
    before = "fix d all deform 1 xy erate 0.4 remap x\n" if tilt else "fix d all deform 1 x erate 0.4 remap x\n"
    native, torch = (
        run_ok(script(f"native.pt A B engine {engine}", before=before, after="run 6"), tmp_path, ranks).last_frame()
        for engine in ("native", "torch")
    )
    for got, expected in zip(native, torch, strict=True):
        assert relative(got, expected) < 1e-4
