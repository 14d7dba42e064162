"""pair_style glassvae and compute glassvae/latent in the real `lmp` against the ASE calculator and the eager model."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from ase import Atoms

import toy_glassvae
from lammps_inputs.pair_glassvae import METAL, REDUCED, configuration, script
from lammps_runner import Array, Configuration, Result, run_ok
from vitrify import GlassCalc
from vitrify.engines.predictions import EnergyPrediction
from vitrify.glassvae.differentiate import energy_prediction
from vitrify.graphs.neighbours import build_structure_graph

pytestmark = pytest.mark.lmp

SYSTEMS = {"metal": METAL, "lj": REDUCED}
# LAMMPS's pressure in units of energy over volume
PRESSURE = {"metal": 1.6021765e6, "lj": 1.0}
TOLERANCE = {"float32": 1e-5, "float64": 1e-9}
LATENT = toy_glassvae.CONFIG["latent"]
LENNARD = "pair_style lj/cut 4.0\npair_coeff * * 0.05 2.4\npair_modify shift yes"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of toy models."""
    folder = tmp_path_factory.mktemp("models")
    toy_glassvae.write(folder / "metal-float64.pt")
    toy_glassvae.write(folder / "metal-float32.pt", "float32")
    toy_glassvae.write(folder / "lj-float64.pt", system=REDUCED)
    return folder


class Answer(NamedTuple):
    """What LAMMPS says in its last frame: positions, forces (N, 3), energies (N,), and the last line of thermo."""

    types: Array
    positions: Array
    forces: Array
    energies: Array
    thermo: dict[str, float]


def answer(result: Result, name: str = "out.dump") -> Answer:
    rows = result.rows(name)
    thermo = {key: float(values[-1]) for key, values in result.thermo().items()}
    return Answer(rows[:, 1].astype(int) - 1, rows[:, 2:5], rows[:, 5:8], rows[:, 8], thermo)


@cache
def eager(dtype: str, species: tuple[str, ...] = METAL.species) -> torch.nn.Module:
    system = METAL if species == METAL.species else REDUCED
    return toy_glassvae.make(getattr(torch, dtype), system=system)


def expected(c: Configuration, dtype: str = "float64") -> EnergyPrediction:
    model = eager(dtype)
    graph = build_structure_graph(c.positions, c.cell, c.types, model.cutoff, getattr(torch, dtype))
    return energy_prediction(toy_glassvae.WithCore(model), c.cell, graph)


def tensor(thermo: dict[str, float], name: str) -> Array:
    """A tensor (3, 3) of LAMMPS's six numbers xx, yy, zz, xy, xz, yz."""
    xx, yy, zz, xy, xz, yz = (thermo[f"{name}[{k}]"] for k in range(1, 7))
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def assert_same(found: Answer, want: EnergyPrediction, limit: float, units: str = "metal") -> None:
    """Energy, forces, pressure, and the sums of energies and stresses of the atoms."""
    force = np.sqrt(np.mean(want.forces**2))
    assert force > 0.5
    assert found.thermo["PotEng"] == pytest.approx(want.energy, rel=limit)
    np.testing.assert_allclose(found.energies, want.energies, atol=limit * np.abs(want.energies).max())
    np.testing.assert_allclose(found.forces, want.forces, atol=limit * np.abs(want.forces).max())
    volume, unit = found.thermo["Volume"], PRESSURE[units]
    pressure = -want.stress * unit
    np.testing.assert_allclose(tensor(found.thermo, "c_p"), pressure, atol=limit * np.abs(pressure).max())
    np.testing.assert_allclose(
        tensor(found.thermo, "c_sum"), -pressure * volume, atol=limit * np.abs(pressure).max() * volume
    )
    assert found.thermo["c_sum[7]"] == pytest.approx(want.energy, rel=limit)


@pytest.mark.parametrize(
    ("ranks", "units", "tilt", "dtype", "engine"),
    [
        (1, "metal", 0.2, "float64", "native"),
        (2, "metal", 0.2, "float64", "native"),
        (2, "metal", 0.2, "float32", "native"),
        pytest.param(4, "metal", 0.2, "float64", "native", marks=pytest.mark.slow),
        pytest.param(4, "metal", 0.2, "float32", "native", marks=pytest.mark.slow),
        (2, "lj", 0.2, "float64", "native"),
        (1, "metal", 0.0, "float32", "torch"),
        (2, "metal", 0.2, "float64", "torch"),
        pytest.param(4, "metal", 0.2, "float64", "torch", marks=pytest.mark.slow),
    ],
)
def test_lammps_ase_and_eager_agree(
    models: Path, tmp_path: Path, ranks: int, units: str, tilt: float, dtype: str, engine: str
) -> None:
    system, atoms = SYSTEMS[units], toy_glassvae.glass(3, tilt)
    c = configuration(atoms, system)
    c.write_data(tmp_path / "data.test")
    model = models / f"{units}-{dtype}.pt"
    result = run_ok(script(model, f"check yes engine {engine}", system), tmp_path, ranks)
    assert "pair_style glassvae: reference case reproduced" in result.output
    assert f"engine {engine}, variant equivariant, {dtype}" in result.output
    want, found = expected(c, dtype), answer(result)
    assert_same(found, want, TOLERANCE[dtype], units)
    np.testing.assert_allclose(found.forces.sum(0), 0.0, atol=1e-3 if dtype == "float32" else 1e-9)

    names = dict(zip(("Cu", "Au"), system.species, strict=True))
    calculator = GlassCalc(model, species=names, engine=engine)
    limit = TOLERANCE[dtype]
    assert calculator.get_potential_energy(atoms) == pytest.approx(found.thermo["PotEng"], rel=limit)
    np.testing.assert_allclose(calculator.get_forces(atoms), found.forces, atol=limit * np.abs(found.forces).max())


@pytest.mark.parametrize(("tilt", "engine"), [(0.0, "native"), (0.25, "native"), (0.25, "torch")])
def test_cell_smaller_than_the_cutoff(models: Path, tmp_path: Path, tilt: float, engine: str) -> None:
    c = configuration(toy_glassvae.glass(1, tilt))
    assert np.diag(c.cell).max() < 4.5
    c.write_data(tmp_path / "data.test")
    source = script(models / "metal-float64.pt", f"engine {engine}")
    assert_same(answer(run_ok(source, tmp_path)), expected(c), 1e-9)


@pytest.mark.parametrize("engine", ["native", pytest.param("torch", marks=pytest.mark.slow)])
def test_ranks_without_atoms(models: Path, tmp_path: Path, engine: str) -> None:
    c = configuration(toy_glassvae.glass(2))
    cell = c.cell.copy()
    cell[0, 0] = 90.0
    c = replace(c, cell=cell)
    c.write_data(tmp_path / "data.test")
    source = script(models / "metal-float64.pt", f"engine {engine}", before="processors 4 1 1")
    result = run_ok(source, tmp_path, 4)
    assert "4 by 1 by 1 MPI processor grid" in result.output
    assert_same(answer(result), expected(c), 1e-9)


def test_more_atoms_than_a_chunk_and_replicated_cells(models: Path, tmp_path: Path) -> None:
    """Energy and stresses of copies are those of the cell; 1,296 atoms are several chunks of the torch engine."""
    c = configuration(toy_glassvae.glass(3, 0.1))
    c.write_data(tmp_path / "data.test")
    after = f"""\
compute      z all glassvae/latent {models}/metal-float64.pt Cu Au engine torch
thermo_style custom step pe c_z[*]
thermo_modify norm no format float %.15g
run          0
"""
    source = script(models / "metal-float64.pt", "engine torch", after=after)
    few = run_ok(source, tmp_path).thermo()
    many = run_ok(source.replace("pair_style", "replicate 3 2 2\npair_style", 1), tmp_path, 2).thermo()
    assert many["PotEng"][-1] == pytest.approx(12 * few["PotEng"][-1], rel=1e-11)
    for k in range(1, LATENT + 1):
        assert many[f"c_z[{k}]"][-1] == pytest.approx(few[f"c_z[{k}]"][-1], abs=1e-10)


@pytest.mark.slow
def test_minimise_and_dynamics(models: Path, tmp_path: Path) -> None:
    """A minimisation ends lower, near zero forces, at what the calculator says; NVE then keeps the energy."""
    c = configuration(toy_glassvae.glass(2, 0.1))
    c.write_data(tmp_path / "data.test")
    after = """\
minimize     0 1e-3 400 4000
velocity     all create 600 4711
fix          1 all nve
timestep     0.0005
run          200
"""
    result = run_ok(script(models / "metal-float64.pt", after=after), tmp_path, 2)
    thermo = result.thermo()
    md = int(np.flatnonzero(thermo["KinEng"] > 0)[0])
    relaxed, start = thermo["PotEng"][md], thermo["PotEng"][0]
    assert relaxed < start - 0.5
    total = thermo["TotEng"][md:] / len(c.positions)
    assert np.ptp(thermo["KinEng"][md:] / len(c.positions)) > 0.01
    assert np.ptp(total) < 1e-4
    found = answer(result)
    assert np.abs(found.positions - c.positions).max() > 0.05
    assert_same(found, expected(replace(c, positions=found.positions)), 1e-9)


def test_hybrid_overlay_adds_up(models: Path, tmp_path: Path) -> None:
    c = configuration(toy_glassvae.glass(3, 0.1))
    c.write_data(tmp_path / "data.test")
    model = models / "metal-float64.pt"
    alone = answer(run_ok(script(model, pair=LENNARD), tmp_path, 2))
    overlay = """\
pair_style hybrid/overlay glassvae lj/cut 4.0
pair_coeff * * glassvae MODEL Cu Au
pair_coeff * * lj/cut 0.05 2.4
pair_modify shift yes"""
    both = answer(run_ok(script(model, pair=overlay), tmp_path, 2))
    want = expected(c)
    assert both.thermo["PotEng"] == pytest.approx(want.energy + alone.thermo["PotEng"], rel=1e-10)
    np.testing.assert_allclose(both.forces, want.forces + alone.forces, atol=1e-9)
    pressure = -want.stress * PRESSURE["metal"] + tensor(alone.thermo, "c_p")
    np.testing.assert_allclose(tensor(both.thermo, "c_p"), pressure, rtol=1e-8, atol=1e-3)
    np.testing.assert_allclose(tensor(both.thermo, "c_sum"), -pressure * both.thermo["Volume"], rtol=1e-8, atol=1.0)


@pytest.mark.parametrize("ranks", [1, 2])
def test_null_types_are_left_to_other_styles(models: Path, tmp_path: Path, ranks: int) -> None:
    """Hybrid: atoms of a third type feel nothing of the model, and the model nothing of them."""
    c = configuration(toy_glassvae.glass(3, 0.1))
    hydrogen = np.random.default_rng(1).random(len(c.positions)) < 0.2
    types = np.where(hydrogen, 1, 2 * c.types)  # Cu, H, Au
    masses = (c.masses[0], 1.0, c.masses[1])
    replace(c, types=types, masses=masses).write_data(tmp_path / "data.test")
    pair = """\
pair_style hybrid glassvae zero 4.0
pair_coeff * * glassvae MODEL Cu NULL Au
pair_coeff 1*3 2 zero
pair_coeff 2 3 zero"""
    result = run_ok(script(models / "metal-float64.pt", pair=pair), tmp_path, ranks)
    found = answer(result)
    metal = ~hydrogen
    want = expected(replace(c, positions=c.positions[metal], types=c.types[metal]))
    assert (found.forces[hydrogen] == 0.0).all() and (found.energies[hydrogen] == 0.0).all()
    seen = found._replace(forces=found.forces[metal], energies=found.energies[metal])
    assert_same(seen, want, 1e-9)


@pytest.mark.parametrize(
    ("pair", "deform", "ranks"),
    [
        pytest.param("own", "", 4, marks=pytest.mark.slow),
        ("own", "fix 2 all deform 1 x scale 1.02 remap x", 2),
        ("other", "", 2),
    ],
)
def test_the_latent_vector_of_a_run(models: Path, tmp_path: Path, pair: str, deform: str, ranks: int) -> None:
    """Beside the pair style of the same model and beside another: z of the calculator, in thermo and in averages."""
    c = configuration(toy_glassvae.glass(3, 0.1))
    c.write_data(tmp_path / "data.test")
    model = models / "metal-float64.pt"
    after = f"""\
compute      z all glassvae/latent {model} Cu Au
variable     zz equal c_z[1]*10
fix          a all ave/time 1 1 1 c_z mode vector file z.dat
thermo_style custom step vol c_z[*] v_zz
thermo_modify format float %.15g
fix          1 all nve
{deform}
timestep     0.001
run          10
"""
    result = run_ok(script(model, pair="" if pair == "own" else LENNARD, after=after), tmp_path, ranks)
    thermo, calculator = result.thermo(), GlassCalc(model)
    end = c.cell.copy()
    end[0, 0] *= 1.02 if deform else 1.0
    for number, positions, cell in ((0, c.positions, c.cell), (-1, answer(result).positions, end)):
        atoms = Atoms(np.array(METAL.species)[c.types], positions, cell=cell, pbc=True)
        z = calculator.get_property("latent", atoms)
        got = np.array([thermo[f"c_z[{k}]"][number] for k in range(1, LATENT + 1)])
        np.testing.assert_allclose(got, z, atol=1e-9)
        assert thermo["v_zz"][number] == pytest.approx(10 * got[0], rel=1e-9)
    assert np.abs(thermo["c_z[1]"][-1] - thermo["c_z[1]"][0]) > 1e-4


def warnings(result: Result, style: str = "pair_style glassvae") -> list[str]:
    return [line for line in result.output.splitlines() if line.startswith(f"WARNING: {style}")]


@pytest.mark.parametrize("ranks", [1, 2])
def test_structures_unlike_the_training_data_are_told_once(models: Path, tmp_path: Path, ranks: int) -> None:
    c = configuration(toy_glassvae.glass(3, scale=1.05))
    c.write_data(tmp_path / "data.test")
    after = """\
run 0
change_box all x scale 1.4 remap
run 0
run 0
set atom 1 x 0.0 y 0.0 z 0.0
set atom 2 x 1.0 y 0.0 z 0.0
run 0
run 0
"""
    density, close = warnings(run_ok(script(models / "metal-float64.pt", after=after), tmp_path, ranks))
    found = len(c.positions) / np.linalg.det(c.cell) / 1.4
    assert f"the number density is {found:.4g}, outside 0.06 to 0.09" in density
    assert "unlike the training data" in close and re.search("the closest .*-.* distance is 1, below [12]", close)


@pytest.mark.parametrize(("thermo", "every", "step"), [(10, 100, 10), (100, 6, 6)])
def test_distances_are_looked_at_with_output_and_new_lists(
    models: Path, tmp_path: Path, thermo: int, every: int, step: int
) -> None:
    """An atom that moves to another one in a straight line: too close after five of 16 steps."""
    c = configuration(toy_glassvae.glass(3, scale=1.05))
    c.write_data(tmp_path / "data.test")
    velocity = " ".join(str(v) for v in (c.positions[0] - c.positions[1]) / 16)
    after = f"""\
undump       out
thermo       {thermo}
group        two id 2
fix          1 two move linear {velocity}
timestep     1.0
neigh_modify every {every} delay 0 check no
run          12
"""
    (close,) = warnings(run_ok(script(models / "metal-float64.pt", after=after), tmp_path, 2))
    assert f"at step {step} the structure is unlike the training data" in close and "the closest" in close


def test_a_restart_goes_on_where_it_was(models: Path, tmp_path: Path) -> None:
    configuration(toy_glassvae.glass(2, 0.1)).write_data(tmp_path / "data.test")
    start = "velocity all create 300 1\nfix 1 all nve\ntimestep 0.001\nrun 5\nwrite_restart half.restart\nrun 5"
    source = script(models / "metal-float64.pt", after=start)
    whole = run_ok(source, tmp_path).thermo()
    second = source.replace("read_data    data.test", "read_restart half.restart")
    second = second.replace(start, "fix 1 all nve\ntimestep 0.001\nrun 5")
    again = run_ok(second, tmp_path).thermo()
    assert again["PotEng"][-1] == pytest.approx(whole["PotEng"][-1], rel=1e-12)
