"""OGNDynamics against the eager model and `fix ogn` in the real lmp; its log, trajectory and refusals."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import ase.units
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms
from ase.io import read

import model_files
from lammps_runner import DUMP, Configuration, run_ok
from vitrify import OGNDynamics
from vitrify.core.errors import VitrifyError
from vitrify.core.units import get_units
from vitrify.graphs.neighbours import build_graph
from vitrify.ogn.torchscript import TorchOGN

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
SYMBOLS = {"lj": ("Ar", "Kr"), "metal": ("Cu", "Zr")}
MAP = {"lj": {"Ar": "A", "Kr": "B"}, "metal": None}
# One unit of velocity (A/ps in metal units) in ASE's units, written independently of vitrify.core.units.
VELOCITY = {"lj": 1.0, "metal": 1e-3 / ase.units.fs}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], TorchOGN]:
    folder = tmp_path_factory.mktemp("models")
    return {
        (variant, units, dtype): model_files.export(folder / f"{variant}-{units}-{dtype}.pt", variant, units, dtype)
        for variant in ("pair", "paper")
        for units in ("lj", "metal")
        for dtype in TOLERANCE
    }


def configuration(units: str, seed: int = 0) -> Configuration:
    """108 atoms on a jittered lattice in a triclinic cell, at the temperature of the models."""
    rng = np.random.default_rng(seed)
    spacing, temperature = (0.95, 3.0) if units == "lj" else (2.6, 1500.0)
    masses = (model_files.LJ if units == "lj" else model_files.METAL).masses
    cell = spacing * np.array([[3.0, 0.0, 0.0], [0.5, 6.0, 0.0], [-0.4, 0.7, 6.0]])
    grid = np.stack(np.meshgrid(range(3), range(6), range(6), indexing="ij"), -1).reshape(-1, 3)
    types = rng.permutation(np.arange(108) % 4 == 0).astype(np.int64)
    mass = np.array(masses)[types]
    velocities = get_units(units).thermal_velocity(mass, temperature)[:, None] * rng.normal(size=(108, 3))
    positions = (grid + 0.06 * rng.normal(size=grid.shape)) / [3, 6, 6] @ cell
    return Configuration(cell, positions, velocities, types, masses)


def as_atoms(c: Configuration, units: str) -> Atoms:
    atoms = Atoms([SYMBOLS[units][t] for t in c.types], c.positions, cell=c.cell, pbc=True)
    atoms.set_velocities(c.velocities * VELOCITY[units])
    return atoms


def eager_step(c: Configuration, variant: str, units: str, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    model: Any = model_files.make_model(variant, units).to(getattr(torch, dtype))
    graph = build_graph(c.positions, c.velocities, c.cell, c.types, model.cutoff, getattr(torch, dtype))
    with torch.no_grad():
        dr, dv = model(*graph)
    return dr.double().numpy(), dv.double().numpy()


class Waves(Calculator):
    """A bounded external potential, which random weights cannot drive to infinity."""

    implemented_properties = ["energy"]  # noqa: RUF012 (ASE's interface)

    def calculate(self, atoms: Atoms, properties: list[str], system_changes: list[str]) -> None:
        super().calculate(atoms, properties, system_changes)
        self.results["energy"] = float(np.sum(np.cos(2.0 * atoms.positions)))


def close(got: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    return bool(np.abs(got - expected).max() <= tolerance * np.sqrt(np.mean(expected**2)))


@pytest.mark.parametrize("variant", ["pair", "paper"])
@pytest.mark.parametrize("units", ["lj", "metal"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_step_is_the_eager_models_and_lammpss(
    variant: str, units: str, dtype: str, models: dict, tmp_path: Path
) -> None:
    c, model = configuration(units), models[variant, units, dtype]
    atoms = as_atoms(c, units)
    OGNDynamics(atoms, model, species=MAP[units]).run(1)
    dr = atoms.positions - c.positions
    dv = atoms.get_velocities() / VELOCITY[units] - c.velocities
    expected = eager_step(c, variant, units, dtype)
    assert close(dr, expected[0], TOLERANCE[dtype]) and close(dv, expected[1], TOLERANCE[dtype])

    c.write_data(tmp_path / "in.data")
    script = lammps_script(model, units, steps=1)
    positions, velocities = run_ok(script, tmp_path).last_frame()
    assert close(positions - c.positions, dr, TOLERANCE[dtype])
    assert close(velocities - c.velocities, dv, TOLERANCE[dtype])


def lammps_script(model: TorchOGN, units: str, steps: int, options: str = "") -> str:
    metadata = model.metadata
    return f"""\
units        {units}
atom_modify  map yes
read_data    in.data
pair_style   zero {metadata.cutoff} full
pair_coeff   * *
timestep     {metadata.timestep}
fix          1 all ogn {model.path} {" ".join(metadata.species)} check yes {options}
thermo       1
thermo_style custom step temp ke f_1
thermo_modify format float %20.14g
{DUMP}
run          {steps}
"""


def test_langevin_draws_the_noise_of_lammps(models: dict, tmp_path: Path) -> None:
    """Ten predictions with Langevin noise follow lmp's, atom by atom; so does the work."""
    c, model = configuration("metal"), models["pair", "metal", "float64"]
    atoms = as_atoms(c, "metal")
    dynamics = OGNDynamics(atoms, model, langevin=(1200.0, 0.05, 4711))
    dynamics.run(10)
    c.write_data(tmp_path / "in.data")
    result = run_ok(lammps_script(model, "metal", 10, "langevin 1200.0 0.05 4711"), tmp_path)
    positions, velocities = result.last_frame()
    assert np.allclose(positions, atoms.positions, rtol=0, atol=1e-6)
    assert np.allclose(velocities, atoms.get_velocities() / VELOCITY["metal"], rtol=0, atol=1e-5)
    thermo = result.thermo()
    assert thermo["f_1"][-1] == pytest.approx(dynamics.work, rel=1e-6)
    assert thermo["Temp"][-1] == pytest.approx(dynamics.temperature, rel=1e-6)
    assert thermo["KinEng"][-1] == pytest.approx(dynamics.kinetic_energy, rel=1e-6)


def test_time_and_units_are_ases(models: dict) -> None:
    atoms = as_atoms(configuration("metal"), "metal")
    dynamics = OGNDynamics(atoms, models["pair", "metal", "float32"])
    dynamics.run(3)
    assert dynamics.get_time() / ase.units.fs == pytest.approx(30.0, rel=1e-6)
    assert atoms.get_kinetic_energy() == pytest.approx(dynamics.kinetic_energy, rel=1e-4)
    assert atoms.get_temperature() == pytest.approx(dynamics.temperature * (1 - 1 / len(atoms)), rel=1e-4)


def test_trajectory_and_log_need_no_calculator(models: dict, tmp_path: Path) -> None:
    atoms, log = as_atoms(configuration("lj"), "lj"), io.StringIO()
    start = atoms.positions.copy()
    trajectory = tmp_path / "run.traj"
    dynamics = OGNDynamics(
        atoms, models["pair", "lj", "float32"], MAP["lj"], trajectory=trajectory, logfile=log, loginterval=2
    )
    dynamics.run(4)
    dynamics.run(2)
    frames = read(trajectory, ":")
    assert len(frames) == 4
    assert np.array_equal(frames[0].positions, start) and np.array_equal(frames[-1].positions, atoms.positions)
    assert np.allclose(frames[-1].get_velocities(), atoms.get_velocities())
    header, *lines = log.getvalue().splitlines()
    assert header.split() == ["Time[tau]", "Ekin[epsilon]", "T[T*]", "Work[epsilon]"]
    rows = np.array([[float(x) for x in line.split()] for line in lines])
    assert np.allclose(rows[:, 0], [0.0, 0.05, 0.10, 0.15])
    kinetic = 0.5 * np.sum(frames[-1].get_masses()[:, None] * atoms.get_velocities() ** 2)
    assert rows[-1, 1] == pytest.approx(kinetic, rel=1e-5)
    assert rows[-1, 2] == pytest.approx(2 * kinetic / (3 * len(atoms) - 3), rel=1e-5)


def test_the_log_goes_on_with_the_time_after_a_restart(models: dict) -> None:
    atoms, log = as_atoms(configuration("lj"), "lj"), io.StringIO()
    OGNDynamics(atoms, models["pair", "lj", "float32"], MAP["lj"]).run(2)
    OGNDynamics(atoms, models["pair", "lj", "float32"], MAP["lj"], logfile=log).run(1)
    times = [float(line.split()[0]) for line in log.getvalue().splitlines()[1:]]
    assert np.allclose(times, [0.05, 0.075])


def test_log_to_a_file_with_a_calculator(models: dict, tmp_path: Path) -> None:
    atoms = as_atoms(configuration("lj"), "lj")
    atoms.calc = LennardJones(rc=2.0)
    path = tmp_path / "run.log"
    with OGNDynamics(atoms, models["pair", "lj", "float32"], MAP["lj"], logfile=path) as dynamics:
        dynamics.run(1)
    header, *lines = path.read_text().splitlines()
    assert header.split()[:3] == ["Time[tau]", "Etot[epsilon]", "Epot[epsilon]"] and len(lines) == 2
    assert float(lines[1].split()[2]) == pytest.approx(atoms.get_potential_energy(), abs=1e-4)


def test_rescale_holds_the_energy_and_counts_the_work(models: dict) -> None:
    atoms = as_atoms(configuration("lj"), "lj")
    atoms.calc = Waves()
    dynamics = OGNDynamics(atoms, models["pair", "lj", "float64"], MAP["lj"], energy="rescale")

    def total() -> float:
        return float(atoms.get_potential_energy() + dynamics.kinetic_energy)

    start, momentum = total(), atoms.get_momenta().sum(0)
    dynamics.run(5)
    assert total() == pytest.approx(start, abs=1e-9)
    assert np.allclose(atoms.get_momenta().sum(0), momentum, atol=1e-9)

    free = as_atoms(configuration("lj"), "lj")
    free.calc = Waves()
    one = OGNDynamics(free, models["pair", "lj", "float64"], MAP["lj"])
    one.run(1)
    gained = float(free.get_potential_energy() + one.kinetic_energy) - start
    again = as_atoms(configuration("lj"), "lj")
    again.calc = Waves()
    controlled = OGNDynamics(again, models["pair", "lj", "float64"], MAP["lj"], energy="rescale")
    controlled.run(1)
    assert abs(gained) > 1e-3 and controlled.work == pytest.approx(gained, rel=1e-9)


def test_default_masses_give_way_to_the_models_in_reduced_units(models: dict) -> None:
    atoms = as_atoms(configuration("lj"), "lj")
    velocities = atoms.get_velocities()
    OGNDynamics(atoms, models["pair", "lj", "float32"], MAP["lj"])
    assert set(atoms.get_masses()) == {1.0, 2.0} and np.allclose(atoms.get_velocities(), velocities)


def _without_pbc(atoms: Atoms) -> None:
    atoms.pbc = [True, True, False]


def _frozen(atoms: Atoms) -> None:
    atoms.set_constraint(FixAtoms([0]))


def _flat(atoms: Atoms) -> None:
    atoms.cell[2] = 0.0


def _heavy(atoms: Atoms) -> None:
    atoms.set_masses(atoms.get_masses() * 1.01)


def _nan(atoms: Atoms) -> None:
    atoms.positions[5, 1] = np.nan


def _foreign(atoms: Atoms) -> None:
    atoms.symbols[3] = "Au"


def _empty(atoms: Atoms) -> None:
    del atoms[:]


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (_without_pbc, {}, "pbc"),
        (_frozen, {}, r"constraints \(FixAtoms\)"),
        (_flat, {}, "no volume"),
        (_heavy, {}, "trained with"),
        (
            _nan,
            {},
            r"position or velocity of atom 6 is not a number before the prediction at step 1 \(atoms counted from 1",
        ),
        (_foreign, {}, "element Au is not in the model, which has Cu Zr"),
        (_empty, {}, "no atoms"),
        (None, {"species": {"Cu": "Cu"}}, "does not say what Zr is"),
        (None, {"species": {"Cu": "Cu", "Zr": "Hf"}}, "element Hf for Zr is not in the model"),
        (None, {"energy": "rescale"}, "attach a calculator"),
        (None, {"energy": "nve"}, "use none or rescale"),
        (None, {"langevin": (300.0, 0.1)}, "give \\(temperature, damping time, seed\\)"),
        (None, {"langevin": (300.0, -0.1, 1)}, "damp"),
        (None, {"model": "missing.pt"}, "no model file missing.pt"),
        (None, {"device": "cuda:77", "model": "path"}, "sees no such GPU"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(change: Any, settings: dict, message: str, models: dict) -> None:
    model = models["pair", "metal", "float32"]
    atoms = as_atoms(configuration("metal"), "metal")
    if change is not None:
        change(atoms)
    if settings.get("model") == "path":
        settings = {**settings, "model": model.path}
    with pytest.raises(VitrifyError, match=message) as caught:
        OGNDynamics(atoms, **{"model": model, **settings}).run(1)
    assert "\n" not in str(caught.value)


def test_rescale_and_langevin_exclude_each_other(models: dict) -> None:
    atoms = as_atoms(configuration("lj"), "lj")
    atoms.calc = LennardJones(rc=2.0)
    with pytest.raises(VitrifyError, match="use one of them"):
        OGNDynamics(atoms, models["pair", "lj", "float32"], MAP["lj"], energy="rescale", langevin=(3.0, 1.0, 1))


def test_atoms_may_not_come_or_go(models: dict) -> None:
    atoms = as_atoms(configuration("lj"), "lj")
    dynamics = OGNDynamics(atoms, models["pair", "lj", "float32"], MAP["lj"], check=True)
    del atoms[0]
    with pytest.raises(VitrifyError, match="number of atoms changed"):
        dynamics.run(1)
