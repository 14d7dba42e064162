"""What generation was asked for and did not reach is said: energies after an anneal, what whole atoms cannot have."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ase.units
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.io import read
from typer.testing import CliRunner

from glass_files import cube
from lammps_inputs.create_glass import script as create_glass
from lammps_runner import run_ok
from toy_generators import silicon
from toy_glassvae import write
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.engines.predictions import EnergyPrediction
from vitrify.generation.anneal import Anneal, anneal, descent
from vitrify.generation.generate import generate_many


@pytest.fixture(scope="module")
def latent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "CuAu.glassvae.pt", dtype="float32").path


@pytest.mark.parametrize(
    ("options", "asked"),
    [({"energy": (-3.9, -3.2)}, "-3.9 to -3.2"), ({"energy": (-3.7, -3.69)}, "-3.7 to -3.69"), ({}, None)],
    ids=["wide", "narrow", "drawn"],
)
def test_each_structure_says_whether_it_has_its_energy(
    options: dict[str, Any], asked: str | None, latent: Path
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = list(generate_many(latent, 3, n_atoms=12, steps=1, anneal=0.01, **options))
    words = [str(w.message) for w in caught if "missed" in str(w.message)]
    for atoms in made:
        low, high = atoms.info.get("energy_window", atoms.info["latent_energy"] + np.array([-0.002, 0.002]))
        reached = low <= atoms.info["inherent_energy"] <= high
        assert atoms.info["energy_reached"] == reached
        mine = [text for text in words if f"seed {atoms.info['seed']} " in text]
        assert len(mine) == (not reached)
        for text in mine:
            found = re.search(r"energy (\S+ to \S+) eV/atom: its inherent energy is (\S+) after 0.01 ps", text)
            assert found and (asked is None or found[1] == asked)
            assert float(found[2]) == pytest.approx(atoms.info["inherent_energy"], rel=1e-5)


@pytest.mark.parametrize("count", [1, 3])
def test_the_command_says_how_many_missed(count: int, latent: Path, tmp_path: Path) -> None:
    out = tmp_path / "w.extxyz"
    words = f"generate {latent} --atoms 12 --steps 1 --count {count} --energy=-3.7:-3.699 --anneal 0.01 -o {out}"
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 0, result.output
    missed = sum(not atoms.info["energy_reached"] for atoms in read(out, ":"))
    assert missed > 0
    assert f"{missed} of {count} structures missed the energy that was asked for" in result.output
    assert result.output.count("warning: the structure of seed") == missed


def test_a_reached_energy_is_no_word(latent: Path, tmp_path: Path) -> None:
    out = tmp_path / "w.extxyz"
    words = f"generate {latent} --atoms 12 --steps 1 --energy=-9:1 --anneal 0.01 -o {out}"
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 0 and "missed" not in result.output
    assert read(out).info["energy_reached"]


def test_energies_without_an_anneal_are_not_measured(latent: Path) -> None:
    with pytest.warns(UserWarning, match="is drawn with the latent vector, and is not measured"):
        next(generate_many(latent, 1, n_atoms=12, steps=1, energy=(-3.9, -3.2)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"n_atoms": 7, "composition": {"Cu": 0.5, "Au": 0.5}},
            "composition asked for is 50% Cu, 50% Au; 7 atoms have",
        ),
        ({"n_atoms": 11, "composition": {"Cu": 3, "Au": 1}}, "composition asked for is 75% Cu, 25% Au; 11 atoms have"),
        ({"n_atoms": 12, "composition": {"Cu": 1, "Au": 1}}, None),
        ({"cell": 5.2, "density": 15.0}, r"density asked for is 15 g/cm\^3; 10 atoms in this cell have"),
        ({"cell": 21.0, "density": 15.0}, None),
        ({"n_atoms": 12, "density": 15.0}, None),
    ],
)
def test_what_whole_atoms_cannot_have(options: dict[str, Any], words: str | None, latent: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (atoms,) = generate_many(latent, 1, steps=1, **options)
    said = [str(w.message) for w in caught if "asked for is" in str(w.message)]
    assert len(said) == (words is not None)
    if words:
        assert re.search(words, said[0])
    elif "density" in options:
        mass = 1.66053907 * atoms.get_masses().sum() / atoms.get_volume()
        assert mass == pytest.approx(15.0, rel=0.01)


def test_generators_without_an_energy_are_asked_for_none(tmp_path: Path) -> None:
    path = silicon(tmp_path / "Si.amshortcut.pt")
    with pytest.raises(VitrifyError, match="knows no energy"):
        next(generate_many(path, 1, n_atoms=32, energy=(-4.0, -3.0)))


def test_models_of_moving_atoms_are_not_annealed(latent: Path, tmp_path: Path) -> None:
    from vitrify.generation.request import Request
    from vitrify.glassvae.generate import structures
    from vitrify.modelfile.archive import read_metadata

    moving: Any = read_metadata(latent).model_copy(update={"latent_energy": "energy"})
    with pytest.raises(VitrifyError, match="energies of moving atoms"):
        structures(latent, moving, Request(range(1, 2), 12, anneal=1.0))


def test_defaults_in_reduced_units_are_those_of_metal_units() -> None:
    """An epsilon of 0.15 eV, a sigma of 2.7 A and the mass of copper, by ASE's units alone."""
    metal, lj = Anneal(), Anneal.for_units("lj")
    tau = 2.7 * np.sqrt(63.546 / 0.15) / (1000 * ase.units.fs)  # ps
    for name in ("time", "look", "timestep", "damping"):
        assert getattr(lj, name) * tau == pytest.approx(getattr(metal, name), rel=1e-5)
    for name in ("start", "end"):
        assert getattr(lj, name) * 0.15 == pytest.approx(getattr(metal, name) * ase.units.kB, rel=1e-4)
    assert lj.force * 0.15 / 2.7 == pytest.approx(metal.force) and lj.drawn * 0.15 == pytest.approx(metal.drawn)
    assert lj.margin == metal.margin and Anneal.for_units("lj", time=3.0).time == 3.0
    assert Anneal.for_units("metal", time=3.0) == Anneal(time=3.0)


class Spheres:
    """Lennard-Jones spheres of ASE as a model in reduced units."""

    metadata = SimpleNamespace(units="lj", species=("Ar",), masses=(1.0,), metrics={})

    def predict(self, positions: Any, cell: Any, types: Any) -> EnergyPrediction:
        atoms = Atoms(["Ar"] * len(types), positions, cell=cell, pbc=True)
        atoms.calc = LennardJones(sigma=1.0, epsilon=1.0, rc=2.0)
        energies = np.full(len(types), atoms.get_potential_energy() / len(types))
        return EnergyPrediction(energies, atoms.get_forces(), np.zeros((3, 3)), np.zeros(1))


@pytest.mark.slow
def test_an_anneal_in_reduced_units_cools_a_solid() -> None:
    """With metal units' numbers, 950 epsilon, the spheres would be a gas."""
    model: Any = Spheres()
    grid = np.stack(np.meshgrid(*[range(3)] * 3, indexing="ij"), -1).reshape(-1, 3) * 1.05
    atoms = Atoms(["Ar"] * 27, grid + 0.1 * np.random.default_rng(0).normal(size=grid.shape), cell=[3.15] * 3, pbc=True)
    settings = Anneal.for_units("lj", time=3.0, look=1.0)
    energies = [energy for _, _, energy in descent(atoms, model, settings, seed=1)]
    assert len(energies) == 4 and max(energies) < -4.0
    with pytest.warns(UserWarning, match="epsilon/atom"):
        found = anneal(atoms, model, (-99.0, -98.0), settings, seed=1)
    assert not found.info["energy_reached"]


@pytest.mark.lmp
@pytest.mark.parametrize(("wish", "count"), [("energy -3.9 -3.2", 1), ("", 0)])
def test_create_glass_does_not_measure_energies_either(wish: str, count: int, latent: Path, tmp_path: Path) -> None:
    command = f"{latent} number 24 elements Cu Au steps 1 {wish}"
    output = run_ok(create_glass(command, cube(24, 0.075)), tmp_path).output
    assert output.count("WARNING: create_glass: the energy that was asked for is drawn with the latent vector") == count
