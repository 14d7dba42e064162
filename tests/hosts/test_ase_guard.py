"""The guard and the fallback of OGNDynamics against `fix ogn` in the real lmp, and restarts from trajectories."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones
from ase.io import read

import model_files
from lammps_inputs.fix_ogn import lj_liquid
from lammps_runner import DUMP, Configuration, run_lammps, run_ok
from vitrify import OGNDynamics
from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.modelfile.metadata import Validity
from vitrify.ogn.torchscript import TorchOGN

SPECIES = {"Ar": "A", "Kr": "B"}
LJ_PAIR = "pair_style lj/cut 2.5\npair_coeff * * 1.0 0.8"
Change = Callable[[Configuration], Configuration]


def exported(path: Path, dtype: str = "float64", **limits: Any) -> TorchOGN:
    validity = Validity(number_density=(0.5, 2.0), composition={"A": (0.0, 1.0), "B": (0.0, 1.0)}, **limits)
    return model_files.export(path, dtype=dtype, validity=validity)


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> TorchOGN:
    """A model with limits that the liquid of these tests meets, and its changes do not."""
    path = tmp_path_factory.mktemp("tight") / "m.pt"
    return exported(path, temperature=(0.5, 1.5), min_distance=[0.75] * 3, max_displacement=0.12)


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> TorchOGN:
    """A model with limits that nothing reaches: random weights may drive atoms together."""
    path = tmp_path_factory.mktemp("loose") / "m.pt"
    return exported(path, temperature=(0.5, 1e9), min_distance=[1e-3] * 3, max_displacement=1e3)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> TorchOGN:
    """A model in single precision, whose numbers overflow early."""
    path = tmp_path_factory.mktemp("single") / "m.pt"
    return exported(path, "float32", temperature=(0.5, 1.5))


def as_atoms(c: Configuration) -> Atoms:
    atoms = Atoms([("Ar", "Kr")[t] for t in c.types], c.positions, cell=c.cell, pbc=True)
    atoms.set_masses(np.array(c.masses)[c.types])
    atoms.set_velocities(c.velocities)
    return atoms


def liquid() -> Configuration:
    return lj_liquid((4, 4, 4), 0.1, speed=0.7)


def with_state(c: Configuration, x: np.ndarray | None = None, v: np.ndarray | None = None) -> Configuration:
    return Configuration(c.cell, c.positions if x is None else x, c.velocities if v is None else v, c.types, c.masses)


def moved(atom: int, towards: int, distance: float) -> Change:
    def change(c: Configuration) -> Configuration:
        x = c.positions.copy()
        x[atom] = x[towards] + distance * np.array([0.6, 0.0, 0.8])
        return with_state(c, x)

    return change


def faster(factor: float) -> Change:
    return lambda c: with_state(c, v=factor * c.velocities)


def one_fast(atom: int, speed: float) -> Change:
    def change(c: Configuration) -> Configuration:
        v = c.velocities.copy()
        v[atom] = [speed, -speed, 0.0]
        return with_state(c, v=v)

    return change


def drifting(c: Configuration) -> Configuration:
    return with_state(c, v=c.velocities + np.array([30.0, 0.0, -20.0]))


def rounded(c: Configuration) -> Configuration:
    """Positions cut to a grid that is coarser than the atoms are apart."""
    return with_state(c, np.floor(0.7 * c.positions) / 0.7)


def in_lammps(c: Configuration, model: TorchOGN, folder: Path, options: str = "", **settings: Any) -> str:
    c.write_data(folder / "in.data")
    pair = settings.get("pair", "pair_style zero 2.5 full\npair_coeff * *")
    return f"""\
units        lj
atom_modify  map yes
{settings.get("read", "read_data in.data")}
{pair}
timestep     {model.metadata.timestep}
neigh_modify every 1 delay 0 check yes
fix          1 all ogn {model.path} A B {options}
thermo       1
thermo_style custom step temp f_1 f_1[7] f_1[8]
thermo_modify format float %20.14g norm no
{DUMP}
{settings.get("run", "run 3")}
"""


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (moved(5, 9, 0.0), "", "in one place, 0 apart"),
        (moved(5, 9, 0.3), "engine torch", "are 0.3 apart"),
        (moved(0, 63, 0.66), "", "are 0.66 apart"),
        (rounded, "", "in one place, 0 apart"),
        (faster(4.0), "", "is above 1.5 times the 1.5 that the model is valid up to"),
        (one_fast(7, 8.0), "", "moves atom 8 by"),
        (faster(1e60), "single guard no", "is not a number after the prediction"),
        (faster(1e160), "guard no", "is not a number before the prediction"),
        (faster(1e30), "", "is above 1.5 times the 1.5 that"),
        (faster(np.nan), "guard no", "velocity of atom 1 is not a number before the prediction at step 1"),
        (one_fast(11, np.inf), "", "velocity of atom 12 is not a number before the prediction at step 1"),
    ],
    ids=["same", "torch", "close", "integers", "hot", "far", "overflow", "square", "hottest", "nan", "inf"],
)
def test_refusals_are_those_of_fix_ogn(
    change: Change, options: str, words: str, tight: TorchOGN, single: TorchOGN, tmp_path: Path
) -> None:
    """The same structures are refused at the same step in the same words, and nothing has moved."""
    c, model = change(liquid()), single if "single" in options else tight
    settings: dict[str, Any] = {"guard": "guard no" not in options, "engine": "torch" if "torch" in options else None}

    def dynamics_of(atoms: Atoms) -> OGNDynamics:
        return OGNDynamics(atoms, model.path, SPECIES, **settings)

    atoms, before = as_atoms(c), as_atoms(c)
    dynamics = dynamics_of(atoms)
    with pytest.raises(VitrifyError, match=words) as caught:
        dynamics.run(5)
    # Numbers that are none cannot be written into data files.
    bad = ~np.isfinite(c.velocities)
    sets = "variable inf atom 1.0e300*1.0e300\nvariable nan atom v_inf-v_inf\n"
    sets += "".join(
        f"set atom {i + 1} v{'xyz'[k]} v_{'inf' if np.isinf(c.velocities[i, k]) else 'nan'}\n"
        for i, k in np.argwhere(bad)
    )
    script = in_lammps(
        with_state(c, v=np.where(bad, 0.0, c.velocities)), model, tmp_path, options.removeprefix("single"),
        run=f"{sets}run 5",
    )  # fmt: skip
    message = run_lammps(script, tmp_path).error()
    found = re.search(r"fix ogn: (at step \d+ two atoms.*?: delete|.*? at step \d+)", message)
    assert found, message
    assert str(caught.value).startswith(found[1])
    done = int(re.search(r"at step (\d+)", found[1])[1]) - 1  # type: ignore[index]
    if done:
        dynamics_of(before).run(done)
    assert np.array_equal(atoms.positions, before.positions)
    assert np.array_equal(atoms.get_velocities(), before.get_velocities(), equal_nan=True)
    assert dynamics.predictions == atoms.info["ogn_step"] == done


@pytest.mark.parametrize("change", [lambda c: c, drifting, one_fast(7, 4.0)], ids=["liquid", "drift", "fast"])
def test_what_fix_ogn_moves_is_moved(change: Change, loose: TorchOGN, tmp_path: Path) -> None:
    c = change(liquid())
    atoms = as_atoms(c)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OGNDynamics(atoms, loose.path, SPECIES).run(3)
    x, v = run_ok(in_lammps(c, loose, tmp_path), tmp_path).last_frame()
    assert np.allclose(x, atoms.positions, rtol=0, atol=1e-9) and np.allclose(v, atoms.get_velocities(), atol=1e-9)


def test_the_fallback_takes_refused_strides_as_in_lammps(tight: TorchOGN, tmp_path: Path) -> None:
    """A mixed run, stride by stride: the same ones are refused, and Verlet's end where LAMMPS's do."""
    c = moved(5, 9, 0.66)(liquid())
    atoms = as_atoms(c)
    atoms.calc = LennardJones(sigma=0.8, epsilon=1.0, rc=2.5)
    dynamics = OGNDynamics(atoms, tight.path, SPECIES, fallback=4, langevin=(1.0, 0.2, 5))
    with pytest.warns(UserWarning) as caught:
        dynamics.run(12)
    words = [str(w.message).removeprefix("OGNDynamics: ") for w in caught if "velocity Verlet" in str(w.message)]
    script = in_lammps(
        c, tight, tmp_path, "guard yes fallback 4 langevin 1.0 0.2 5", pair=LJ_PAIR, run="run 12",
    )  # fmt: skip
    result = run_ok(script, tmp_path)
    said = [
        line.removeprefix("fix ogn: ")
        for line in result.output.splitlines()
        if "of velocity Verlet" in line or "by velocity Verlet" in line
    ]
    assert words == said and 0 < dynamics.fallbacks < 12
    thermo = result.thermo()
    assert (dynamics.predictions, dynamics.fallbacks) == (thermo["f_1[7]"][-1], thermo["f_1[8]"][-1])
    assert dynamics.work == pytest.approx(thermo["f_1"][-1], rel=1e-7)
    x, v = result.last_frame()
    assert np.allclose(x, atoms.positions, rtol=0, atol=1e-7) and np.allclose(v, atoms.get_velocities(), atol=1e-6)


def test_many_fallbacks_are_counted(tight: TorchOGN) -> None:
    atoms = as_atoms(with_state(liquid(), v=0 * liquid().velocities))
    atoms.calc = LennardJones(sigma=0.8, epsilon=1.0, rc=2.5)
    atoms.positions[0] = atoms.positions[1] + [0.6, 0.0, 0.0]
    dynamics = OGNDynamics(atoms, tight.path, SPECIES, fallback=np.int64(1000))
    dynamics._fallback_steps = 1
    dynamics.stepper.timestep = 1e-9  # nothing moves: every stride is refused
    with pytest.warns(UserWarning) as caught:
        dynamics.run(12)
    words = [str(w.message) for w in caught if "velocity Verlet" in str(w.message)]
    assert len(words) == 11 and "further ones are counted" in words[9]
    assert words[10] == "OGNDynamics: 12 strides of this run were taken by velocity Verlet"


class Broken(LennardJones):
    def calculate(self, *args: Any, **settings: Any) -> None:
        super().calculate(*args, **settings)
        self.results["forces"] = np.full_like(self.results["forces"], np.nan)


def test_a_fallback_that_fails_moves_nothing(tight: TorchOGN) -> None:
    atoms = as_atoms(moved(5, 9, 0.1)(liquid()))
    atoms.calc = Broken(sigma=0.8, rc=2.5)
    before = atoms.positions.copy()
    with pytest.warns(UserWarning), pytest.raises(VitrifyError, match="Verlet leaves atom 1 without a finite"):
        OGNDynamics(atoms, tight.path, SPECIES, fallback=2).run(2)
    assert np.array_equal(atoms.positions, before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"guard": "no"}, "guard is 'no': give True or False"),
        ({"fallback": 0}, "a number of steps >= 1, got guard=True and fallback=0"),
        ({"fallback": 2.5}, "a number of steps >= 1"),
        ({"fallback": True}, "a number of steps >= 1"),
        ({"fallback": 3, "guard": False}, "fallback wants guard=True"),
        ({"fallback": 3}, "attach a calculator"),
        ({"first_step": -1}, "number of strides from 0 on"),
        ({"first_step": 0.5}, "number of strides from 0 on"),
        ({"first_step": float("nan")}, "number of strides from 0 on"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], message: str, tight: TorchOGN) -> None:
    with pytest.raises(VitrifyError, match=message):
        OGNDynamics(as_atoms(liquid()), tight, SPECIES, **settings)


@pytest.mark.parametrize(("name", "value"), [("ogn_step", "many"), ("ogn_work", "much"), ("ogn_energy", np.nan)])
def test_what_atoms_hold_is_checked(name: str, value: Any, tight: TorchOGN) -> None:
    atoms = as_atoms(liquid())
    atoms.info[name] = value
    with pytest.raises(VitrifyError, match="give first_step"):
        OGNDynamics(atoms, tight, SPECIES)
    OGNDynamics(atoms, tight, SPECIES, first_step=3.0)


def test_strides_of_another_model_are_not_taken_on(tight: TorchOGN, loose: TorchOGN) -> None:
    atoms = as_atoms(liquid())
    OGNDynamics(atoms, loose, SPECIES).run(2)
    assert OGNDynamics(atoms, loose, SPECIES).current_step == 2
    atoms.info.update(ogn_work=7.0, ogn_predictions="many")  # of no use to the other one
    with pytest.warns(VitrifyWarning, match="are of another model .* not taken on: give first_step"):
        dynamics = OGNDynamics(atoms, tight, SPECIES)
    assert (dynamics.current_step, dynamics.work, dynamics.predictions) == (0, 0.0, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert OGNDynamics(atoms, tight, SPECIES).current_step == 0
        assert OGNDynamics(atoms, loose, SPECIES, first_step=2).current_step == 2


class Waves(Calculator):
    """A bounded external potential, which random weights cannot drive to infinity."""

    implemented_properties = ["energy"]  # noqa: RUF012 (ASE's interface)

    def calculate(self, atoms: Atoms, properties: list[str], system_changes: list[str]) -> None:
        super().calculate(atoms, properties, system_changes)
        self.results["energy"] = float(np.sum(np.cos(2.0 * atoms.positions)))


@pytest.mark.parametrize("suffix", ["traj", "pickle"])
@pytest.mark.parametrize(
    "control",
    [{}, {"langevin": (1.0, 0.3, 11)}, {"langevin": (1.0, 0.3, 2**31 - 1), "guard": False}, {"energy": "rescale"}],
    ids=["none", "langevin", "largest seed", "rescale"],
)
def test_a_restart_goes_on_bit_for_bit(control: dict[str, Any], suffix: str, loose: TorchOGN, tmp_path: Path) -> None:
    """20 strides are 10, a restart and 10: positions, velocities, work and counts."""

    def started(atoms: Atoms, **settings: Any) -> OGNDynamics:
        atoms.calc = Waves()
        return OGNDynamics(atoms, loose, SPECIES, **control, **settings)

    whole, parts = as_atoms(liquid()), as_atoms(liquid())
    one = started(whole)
    one.run(20)
    if suffix == "traj":
        with started(parts, trajectory=tmp_path / "a.traj", loginterval=5) as first:
            first.run(12)  # the last frame is that of stride 10
        again = read(tmp_path / "a.traj", -1)
    else:
        started(parts).run(10)
        again = parts.copy()
    two = started(again)
    assert two.current_step == 10
    two.run(10)
    assert np.array_equal(again.positions, whole.positions) and np.array_equal(again.get_momenta(), whole.get_momenta())
    assert two.work == one.work and two.get_time() == one.get_time()
    assert (two.current_step, two.predictions) == (one.current_step, one.predictions) == (20, 20)


def test_first_step_begins_anew(loose: TorchOGN) -> None:
    atoms = as_atoms(liquid())
    OGNDynamics(atoms, loose, SPECIES, langevin=(1.0, 0.3, 11)).run(2)
    found = []
    for settings in ({}, {"first_step": 2}, {"first_step": 0}):
        copy = atoms.copy()
        dynamics = OGNDynamics(copy, loose, SPECIES, langevin=(1.0, 0.3, 11), **settings)
        assert (dynamics.work == 0.0) == bool(settings)
        dynamics.run(1)
        found.append(copy.positions)
    assert np.array_equal(found[0], found[1]) and not np.allclose(found[0], found[2])


def test_rescaling_after_a_change_of_the_atoms_holds_what_they_have(loose: TorchOGN) -> None:
    """An energy of a run before is held only by atoms that still have it."""
    atoms = as_atoms(liquid())
    atoms.calc = Waves()
    OGNDynamics(atoms, loose, SPECIES, energy="rescale").run(2)
    atoms.set_velocities(1.1 * atoms.get_velocities())
    total = atoms.get_potential_energy() + atoms.get_kinetic_energy()
    OGNDynamics(atoms, loose, SPECIES, energy="rescale").run(2)
    assert atoms.get_potential_energy() + atoms.get_kinetic_energy() == pytest.approx(total, rel=1e-9)


def test_restarts_in_lammps_and_in_ase_agree(loose: TorchOGN, tmp_path: Path) -> None:
    c, bath = liquid(), (1.0, 0.3, 77)
    keywords = "langevin 1.0 0.3 77"
    run_ok(in_lammps(c, loose, tmp_path, keywords, run="run 5\nwrite_restart r.5"), tmp_path)
    result = run_ok(in_lammps(c, loose, tmp_path, keywords, read="read_restart r.5", run="run 5"), tmp_path)
    x, v = result.last_frame()
    atoms = as_atoms(c)
    with OGNDynamics(atoms, loose.path, SPECIES, trajectory=tmp_path / "a.traj", langevin=bath) as first:
        first.run(5)
    again = read(tmp_path / "a.traj", -1)
    second = OGNDynamics(again, loose.path, SPECIES, langevin=bath)
    second.run(5)
    assert np.allclose(v, again.get_velocities(), rtol=0, atol=1e-8)
    turned = np.linalg.solve(c.cell.T, (x - again.positions).T).T  # a restart may wrap atoms
    assert np.abs(turned - np.round(turned)).max() < 1e-8
    assert second.work == pytest.approx(result.thermo()["f_1"][-1], rel=1e-8)
