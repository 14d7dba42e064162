"""compute symgnn/atom in the real `lmp` against the eager model on a graph built by brute force."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lammps_inputs.compute_symgnn import DUMP, ELEMENTS, ZERO, Frame, frame, script
from lammps_runner import FOUR_RANKS, Configuration, Result, run_ok
from toy_ogn import liquid
from toy_symgnn import VALIDITY, ToySymGNN, glass, make_toy, predict, write_toy
from vitrify.modelfile.metadata import Validity

pytestmark = pytest.mark.lmp

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
REAL = {
    "lj": "pair_style lj/cut 1.5\npair_coeff * * 1.0 0.8\npair_modify shift yes",
    "metal": "pair_style lj/cut 4.0\npair_coeff * * 0.1 2.2\npair_modify shift yes",
}


def assert_eager(f: Frame, model: ToySymGNN, c: Configuration) -> None:
    """The frame holds what the model says of its atoms in the cell of `c`."""
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    expected = predict(model, dataclasses.replace(c, positions=f.positions, types=f.types))
    for got, wanted in zip((f.values, f.deviations), expected, strict=True):
        assert wanted.std() > 1e-3
        assert np.abs(got - wanted).max() < TOLERANCE[dtype] * np.sqrt((wanted**2).mean())


def set_up(folder: Path, units: str = "metal", dtype: str = "float64", tilt: float = 0.0) -> Configuration:
    """A data file and the toy's model file."""
    c = glass(units, (6, 5, 5), tilt)
    c.write_data(folder / "data.test")
    write_toy(folder / "toy.pt", units, dtype)
    return c


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
@pytest.mark.parametrize(
    ("units", "tilt", "dtype", "pair"),
    [
        ("metal", 0.0, "float32", "none"),
        ("metal", 0.2, "float64", "zero"),
        ("metal", 0.2, "float32", "real"),
        ("lj", 0.2, "float32", "none"),
        ("lj", 0.0, "float64", "zero"),
        ("lj", 0.2, "float64", "real"),
    ],
)
def test_equals_eager_python(tmp_path: Path, units: str, tilt: float, dtype: str, pair: str, ranks: int) -> None:
    c = set_up(tmp_path, units, dtype, tilt)
    pairs = {"none": "pair_style none", "zero": ZERO, "real": REAL[units]}
    words = f"toy.pt {ELEMENTS[units]} check yes engine torch device cpu"
    result = run_ok(script(words, units, pairs[pair]), tmp_path, ranks)
    assert "compute symgnn/atom: reference case reproduced" in result.output
    assert "engine torch, variant toy, " + dtype in result.output
    first, second = ELEMENTS[units].split()
    assert f"types 1 -> {first}, 2 -> {second}" in result.output
    f = frame(result)
    assert np.abs(f.positions - c.positions).max() < 1e-12
    assert_eager(f, make_toy(units, dtype), c)


@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_cell_smaller_than_the_cutoff(tmp_path: Path, tilt: float) -> None:
    c = glass("metal", (2, 2, 1), tilt)
    assert min(np.diag(c.cell)) < 3.0
    c.write_data(tmp_path / "data.test")
    write_toy(tmp_path / "toy.pt")
    assert_eager(frame(run_ok(script(), tmp_path)), make_toy(), c)


@pytest.mark.parametrize("boundary", [pytest.param("f f f", marks=pytest.mark.slow), "s s s", "p p f"])
def test_surfaces(tmp_path: Path, boundary: str) -> None:
    c = set_up(tmp_path)
    source = script(before="thermo_modify lost ignore").replace("read_data", f"boundary {boundary}\nread_data")
    free = [k for k, word in enumerate(boundary.split()) if word != "p"]
    # a jittered lattice reaches out of its cell, and LAMMPS loses what is outside of a fixed boundary
    inside = np.clip(c.positions, 0.01, np.diag(c.cell) - 0.01)
    positions = np.where(np.isin(np.arange(3), free), inside, c.positions)
    dataclasses.replace(c, positions=positions).write_data(tmp_path / "data.test")
    cell = c.cell.copy()
    cell[free, free] += 20.0  # no images across a surface
    result = run_ok(source, tmp_path, 2)
    assert_eager(frame(result), make_toy(), dataclasses.replace(c, cell=cell))
    assert "number density" not in result.output  # of a box whose volume says nothing


@pytest.mark.slow
def test_ranks_without_atoms(tmp_path: Path) -> None:
    c = glass("metal", (3, 3, 3))
    cell = c.cell.copy()
    cell[0, 0] = 90.0  # the atoms fill less than a tenth of the box
    c = dataclasses.replace(c, cell=cell)
    c.write_data(tmp_path / "data.test")
    write_toy(tmp_path / "toy.pt")
    result = run_ok(script().replace("read_data", "processors 4 1 1\nread_data"), tmp_path, 4)
    assert "4 by 1 by 1 MPI processor grid" in result.output
    assert_eager(frame(result), make_toy(), c)


def test_types_are_mapped_by_name(tmp_path: Path) -> None:
    c = set_up(tmp_path)
    dataclasses.replace(c, types=1 - c.types, masses=c.masses[::-1]).write_data(tmp_path / "data.test")
    f = frame(run_ok(script("toy.pt Zr Cu"), tmp_path))
    assert_eager(f._replace(types=1 - f.types), make_toy(), c)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("neighbor 0.3 nsq", marks=pytest.mark.slow),
        pytest.param("neighbor 0.0 bin", marks=pytest.mark.slow),
        "comm_style tiled\nbalance 1.0 rcb",
        "newton off",
        pytest.param("comm_modify cutoff 12.0", marks=pytest.mark.slow),
    ],
)
def test_any_neighbour_settings(tmp_path: Path, before: str) -> None:
    c = set_up(tmp_path, tilt=0.1)
    source = script(pair=REAL["metal"], before=before)
    if before == "newton off":
        source = "newton off\n" + source.replace(before, "", 1)
    assert_eager(frame(run_ok(source, tmp_path, 2)), make_toy(), c)


@pytest.mark.parametrize(("exclude", "ranks"), [("group out all", 1), ("group all out", 2)])
def test_atoms_of_an_excluded_group_are_not_there(tmp_path: Path, exclude: str, ranks: int) -> None:
    """As under pair_style glassvae; and the group may change between two runs."""
    c = set_up(tmp_path, tilt=0.1)
    after = f"run 0\ngroup out id 3 7 20\nneigh_modify exclude {exclude}\nrun 1 pre no"
    f = frame(run_ok(script(after=after), tmp_path, ranks))
    keep = ~np.isin(np.arange(len(c.types)), [2, 6, 19])
    rest = dataclasses.replace(c, positions=c.positions[keep], velocities=c.velocities[keep], types=c.types[keep])
    value, deviation = predict(make_toy(), rest)
    assert np.abs(f.values[keep] - value).max() < 1e-10 and np.abs(f.deviations[keep] - deviation).max() < 1e-10
    assert not f.values[~keep].any() and not f.deviations[~keep].any()


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
def test_groups_choose_values_not_neighbours(tmp_path: Path, ranks: int) -> None:
    c = set_up(tmp_path, tilt=0.1)
    f = frame(run_ok(script(before="group some type 2", group="some"), tmp_path, ranks))
    value, deviation = predict(make_toy(), c)
    mine = c.types == 1
    assert np.abs(f.values - np.where(mine, value, 0.0)).max() < 1e-10
    assert np.abs(f.deviations - np.where(mine, deviation, 0.0)).max() < 1e-10


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
def test_null_types_are_invisible(tmp_path: Path, ranks: int) -> None:
    c = glass("metal", (6, 5, 5), 0.1)
    hydrogen = np.random.default_rng(1).random(len(c.positions)) < 0.3
    types = np.where(hydrogen, 1, 2 * c.types)  # Cu, H, Zr
    masses = (c.masses[0], 1.0, c.masses[1])
    dataclasses.replace(c, types=types, masses=masses).write_data(tmp_path / "data.test")
    write_toy(tmp_path / "toy.pt")
    result = run_ok(script("toy.pt Cu NULL Zr"), tmp_path, ranks)
    assert "types 1 -> Cu, 2 -> NULL, 3 -> Zr" in result.output
    assert "number density" not in result.output  # which says nothing without the hidden atoms
    f = frame(result)
    metal = ~hydrogen
    assert (f.values[hydrogen] == 0.0).all()
    assert (f.deviations[hydrogen] == 0.0).all()
    seen = Frame(f.ids[metal], c.types[metal], f.positions[metal], f.values[metal], f.deviations[metal])
    assert_eager(seen, make_toy(), c)


@pytest.mark.parametrize(("ranks", "pair"), [(1, "none"), (2, "real"), pytest.param(4, "zero", marks=pytest.mark.slow)])
def test_atoms_on_the_move(tmp_path: Path, ranks: int, pair: str) -> None:
    c = liquid((6, 5, 5), 1.2, (1.0, 2.0), speed=1.5, tilt=0.1)
    c.write_data(tmp_path / "data.test")
    write_toy(tmp_path / "toy.pt", "lj")
    pairs = {"none": "pair_style none", "zero": ZERO, "real": REAL["lj"]}
    after = "neighbor 0.2 bin\nneigh_modify every 1 delay 0 check yes\ntimestep 0.002\nfix 1 all nve\nrun 53"
    dump = DUMP.replace("custom 1", "custom 53")
    result = run_ok(script(units="lj", pair=pairs[pair], after=after, dump=dump), tmp_path, ranks)
    builds = next(line for line in result.output.splitlines() if "Neighbor list builds" in line)
    assert int(builds.split()[-1]) > 3
    assert_eager(frame(result), make_toy("lj"), c)


@pytest.mark.slow
def test_a_box_that_changes(tmp_path: Path) -> None:
    c = set_up(tmp_path, tilt=0.1)
    after = "fix 1 all nve\nfix 2 all deform 1 xy final 1.0 x scale 1.05 remap x\nrun 20"
    result = run_ok(script(after=after), tmp_path, 2)
    cell = c.cell.copy()
    cell[0, 0] *= 1.05
    cell[1, 0] = 1.0
    assert_eager(frame(result), make_toy(), dataclasses.replace(c, cell=cell))


@pytest.mark.slow
def test_a_changing_number_of_atoms(tmp_path: Path) -> None:
    c = set_up(tmp_path)
    after = """\
run 0
region half block INF 7 INF INF INF INF
delete_atoms region half compress no
run 0
write_dump all custom less.dump id type xu yu zu c_b[1] c_b[2] modify sort id format float %24.16e
create_atoms 2 random 400 4711 half overlap 1.0 maxtry 100
run 0
write_dump all custom more.dump id type xu yu zu c_b[1] c_b[2] modify sort id format float %24.16e
"""
    result = run_ok(script(after=after, dump=""), tmp_path, 2)
    less, more = frame(result, "less.dump"), frame(result, "more.dump")
    assert len(less.ids) < 120 < len(c.positions) < len(more.ids)
    assert_eager(less, make_toy(), c)
    assert_eager(more, make_toy(), c)


@pytest.mark.slow
def test_fix_deposit(tmp_path: Path) -> None:
    c = set_up(tmp_path)
    cell = c.cell.copy()
    cell[2, 2] += 20.0
    c = dataclasses.replace(c, cell=cell)
    c.write_data(tmp_path / "data.test")
    after = f"""\
region gap block 1 {cell[0, 0] - 1} 1 {cell[1, 1] - 1} {cell[2, 2] - 15} {cell[2, 2] - 5}
fix d all deposit 8 1 2 12345 region gap near 2.0
fix n all nve
run 20
"""
    f = frame(run_ok(script(after=after), tmp_path, 2))
    assert len(f.ids) == len(c.positions) + 8
    assert_eager(f, make_toy(), c)


@pytest.mark.slow
def test_minimise_then_write(tmp_path: Path) -> None:
    c = set_up(tmp_path)
    write = "write_dump all custom out.dump id type xu yu zu c_b[1] c_b[2] modify sort id format float %24.16e"
    after = f"minimize 0 1e-4 2000 10000\n{write}\nrun 0"
    result = run_ok(script(pair=REAL["metal"], after=after, dump=""), tmp_path, 2)
    f = frame(result)
    assert np.abs(f.positions - c.positions).max() > 0.05
    assert_eager(f, make_toy(), c)
    assert "not at a minimum" not in result.output


def test_dump_while_minimising(tmp_path: Path) -> None:
    c = set_up(tmp_path)
    result = run_ok(script(pair=REAL["metal"], after="minimize 0 0 7 100"), tmp_path)
    assert (tmp_path / "out.dump").read_text().count("ITEM: TIMESTEP") == 8
    assert_eager(frame(result), make_toy(), c)


@pytest.mark.parametrize("ranks", [1, 2])
def test_in_variables_averages_reductions_and_groups(tmp_path: Path, ranks: int) -> None:
    c = liquid((6, 5, 5), 1.2, (1.0, 2.0), speed=0.7)
    c.write_data(tmp_path / "data.test")
    write_toy(tmp_path / "toy.pt", "lj")
    model = make_toy("lj")
    bound = float(np.quantile(predict(model, c)[0], 0.3))
    before = "fix 1 all nve\ntimestep 0.002"
    after = f"""\
fix          a all ave/atom 2 3 6 c_b[1] c_b[2]
variable     s atom c_b[1]+2*c_b[2]
variable     low atom c_b[1]<{bound!r}
group        low dynamic all every 1 var low
variable     n equal count(low)
compute      r all reduce ave c_b[1] c_b[2]
compute      m low reduce max c_b[1]
thermo       1
thermo_style custom step c_r[1] c_r[2] v_n c_m
thermo_modify format float %.15g
dump         a all custom 6 ave.dump id f_a[1] f_a[2] v_s
dump_modify  a sort id format float %24.16e first no
run          6
"""
    result = run_ok(script(units="lj", pair=REAL["lj"], before=before, after=after), tmp_path, ranks)
    frames = []
    for text in (tmp_path / "out.dump").read_text().split("ITEM: TIMESTEP")[1:]:
        rows = np.array([[float(x) for x in line.split()] for line in text.splitlines()[9:]])
        frames.append(rows)
    eager = [predict(model, dataclasses.replace(c, positions=rows[:, 2:5])) for rows in frames]
    assert len(eager) == 7

    thermo = result.thermo()
    assert thermo["c_r[1]"] == pytest.approx([v.mean() for v, _ in eager], rel=1e-10)
    assert thermo["c_r[2]"] == pytest.approx([s.mean() for _, s in eager], rel=1e-10)
    assert thermo["v_n"].tolist() == [(v < bound).sum() for v, _ in eager]
    assert 0 < thermo["v_n"].min() < thermo["v_n"].max() < len(c.positions)
    assert thermo["c_m"] == pytest.approx([v[v < bound].max() for v, _ in eager], rel=1e-10)
    table = result.rows("ave.dump")
    last = eager[2::2]
    assert len(last) == 3
    assert table[:, 1] == pytest.approx(np.mean([v for v, _ in last], axis=0), rel=1e-10)
    assert table[:, 2] == pytest.approx(np.mean([s for _, s in last], axis=0), rel=1e-10)
    assert table[:, 3] == pytest.approx(eager[-1][0] + 2 * eager[-1][1], rel=1e-10)


def test_two_models_at_once(tmp_path: Path) -> None:
    c = set_up(tmp_path)
    write_toy(tmp_path / "other.pt", cutoff=6.0, seed=4)
    dump = DUMP + DUMP.replace("c_b", "c_o").replace("out", "other")
    result = run_ok(script(before="compute o all symgnn/atom other.pt Cu Zr", dump=dump), tmp_path, 2)
    assert_eager(frame(result), make_toy(), c)
    assert_eager(frame(result, "other.dump"), make_toy(cutoff=6.0, seed=4), c)


def warnings(result: Result) -> list[str]:
    return [line for line in result.output.splitlines() if line.startswith("WARNING: compute symgnn/atom")]


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
@pytest.mark.parametrize(("units", "limit"), [("metal", "eV/A, above 0.05"), ("lj", "epsilon/sigma, above 0.1")])
def test_forces_tell_that_a_structure_is_no_minimum(tmp_path: Path, units: str, limit: str, ranks: int) -> None:
    set_up(tmp_path, units)
    force = "dump f all custom 1 f.dump id fx fy fz\ndump_modify f format float %24.16e\n"
    source = script(units=units, pair=REAL[units], dump=DUMP + force, after="run 0\nrun 0\nfix 1 all nve\nrun 3")
    (line,) = warnings(run_ok(source, tmp_path, ranks))
    table = (tmp_path / "f.dump").read_text().split("ITEM: TIMESTEP")[1].splitlines()[9:]
    largest = max(abs(float(x)) for row in table for x in row.split()[1:])
    assert f"at step 0 the structure has a force component of {largest:.3g} {limit}" in line
    assert "use minimize first" in line


@pytest.mark.slow
def test_velocities_left_from_before_a_minimisation_do_no_harm(tmp_path: Path) -> None:
    set_up(tmp_path)
    heat = "velocity all create 300 4711\n"
    hot = script(before=heat, after="run 0\nrun 0")
    (line,) = warnings(run_ok(hot, tmp_path))
    assert "has a temperature of 298 K, above 1," in line  # 300 K with 3 N - 3 degrees of freedom
    assert "velocity all set 0 0 0" in line
    minimum = script(before=heat, pair=REAL["metal"], dump="", after=f"minimize 0 1e-4 2000 10000\n{DUMP}\nrun 0")
    assert not warnings(run_ok(minimum, tmp_path))
    assert not warnings(run_ok(script(), tmp_path))


@pytest.mark.parametrize("ranks", [1, 2])
def test_atoms_whose_deviation_no_training_atom_has_are_marked(tmp_path: Path, ranks: int) -> None:
    _, deviations = predict(make_toy(), set_up(tmp_path))
    limit = float(np.median(deviations))
    write_toy(tmp_path / "toy.pt", validity=VALIDITY["metal"].model_copy(update={"max_deviation": limit}))
    dump = DUMP.replace("c_b[2]", "c_b[2] c_b[3]")
    rows = run_ok(script(dump=dump), tmp_path, ranks).rows()
    assert np.array_equal(rows[:, 7] == 1.0, rows[:, 6] > limit)
    assert 0 < rows[:, 7].sum() < len(rows)


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
def test_structures_unlike_the_training_data(tmp_path: Path, ranks: int) -> None:
    c = set_up(tmp_path)
    after = "change_box all x scale 1.2 remap\nset type 1 type/ratio 2 0.8 4711\nrun 0\nrun 0"
    (line,) = warnings(run_ok(script(after=after), tmp_path, ranks))
    share = np.mean(frame(Result(0, "", tmp_path)).types == 0)
    assert share < 0.19
    density = len(c.positions) / np.linalg.det(c.cell) / 1.2
    assert f"the fraction of Cu is {share:.4g}, outside 0.2 to 0.8" in line
    assert f"the number density is {density:.4g}, outside 0.055 to 0.065" in line


def test_the_edge_of_the_training_data_is_no_warning(tmp_path: Path) -> None:
    c = set_up(tmp_path)
    share, density = float(np.mean(c.types == 0)), len(c.positions) / float(np.linalg.det(c.cell))
    composition = {"Cu": (share, share), "Zr": (1 - share, 1 - share)}
    for shift, expected in ((5e-6, 0), (2e-5, 1)):
        edge = density * (1 + shift)
        write_toy(tmp_path / "toy.pt", validity=Validity(number_density=(edge, edge), composition=composition))
        assert len(warnings(run_ok(script(), tmp_path))) == expected
