"""Annealing with a potential until a minimum has the energy that is asked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.optimize import FIRE

from toy_generators import silicon
from toy_glassvae import SYSTEM, glass, write
from vitrify.core.errors import VitrifyError
from vitrify.engines.open import open_model
from vitrify.engines.predictions import EnergyPrediction
from vitrify.generation.anneal import Anneal, anneal, descent
from vitrify.generation.generate import generate_many

QUICK = Anneal(time=4.0, look=0.4, start=1500.0, end=300.0, timestep=0.005, force=0.05)


class Effective:
    """The effective medium theory of ASE as a model of Cu and Au."""

    metadata = SimpleNamespace(units="metal", species=SYSTEM.species, masses=SYSTEM.masses, metrics={})

    def predict(self, positions: Any, cell: Any, types: Any) -> EnergyPrediction:
        atoms = Atoms([SYSTEM.species[t] for t in types], positions, cell=cell, pbc=True)
        atoms.calc = EMT()
        return EnergyPrediction(atoms.get_potential_energies(), atoms.get_forces(), np.zeros((3, 3)), np.zeros(1))


MODEL: Any = Effective()


def at_rest(atoms: Atoms) -> float:
    """eV/atom of the minimum nearest to the atoms, by EMT."""
    found = atoms.copy()
    found.calc = EMT()
    FIRE(found, logfile=None).run(fmax=0.05, steps=500)
    return float(found.get_potential_energy()) / len(found)


def first_minimum(atoms: Atoms) -> float:
    """eV/atom of the minimum that an anneal begins with."""
    _, _, energy = next(descent(atoms, MODEL, QUICK, seed=1))
    return energy


@pytest.fixture(scope="module")
def packed() -> Atoms:
    """A glass from far: random displacements of a lattice, at rest."""
    atoms = glass(2)
    atoms.positions += np.random.default_rng(0).normal(scale=0.8, size=atoms.positions.shape)
    return atoms


@pytest.mark.slow
def test_it_stops_in_the_window(packed: Atoms) -> None:
    start = first_minimum(packed)
    window = start - 0.2, start - 0.002
    found = anneal(packed, MODEL, window, QUICK, seed=1)
    assert window[0] < found.info["inherent_energy"] < window[1]
    assert found.info["annealed"] > 0
    assert at_rest(found) == pytest.approx(found.info["inherent_energy"], abs=2e-3)
    np.testing.assert_array_equal(found.cell, packed.cell)


@pytest.mark.slow
def test_a_seed_gives_one_structure(packed: Atoms) -> None:
    start = first_minimum(packed)
    window = start - 0.2, start - 0.002
    found = anneal(packed, MODEL, window, QUICK, seed=1)
    again = anneal(packed, MODEL, window, QUICK, seed=1)
    np.testing.assert_array_equal(found.positions, again.positions)
    other = anneal(packed, MODEL, window, QUICK, seed=2)
    assert not np.allclose(found.positions, other.positions)


def test_what_is_there_takes_no_time(packed: Atoms) -> None:
    start = first_minimum(packed)
    found = anneal(packed, MODEL, (start - 0.01, start + 0.01), QUICK, seed=1)
    assert found.info["annealed"] == 0.0


@pytest.mark.slow
def test_energies_of_motion_are_corrected_for_the_error_of_the_model(packed: Atoms) -> None:
    class Wrong(Effective):
        metadata = SimpleNamespace(**{**vars(Effective.metadata), "metrics": {"energy_variance": 0.002}})

    wrong: Any = Wrong()
    window = first_minimum(packed) - 2.0, first_minimum(packed) - 1.0
    plain, found = (anneal(packed, model, window, QUICK, seed=1) for model in (MODEL, wrong))
    assert plain.info["annealed"] > 0
    if found.info["annealed"]:
        own = at_rest(found)
        warm = QUICK.temperature(found.info["annealed"])
        assert found.info["inherent_energy"] == pytest.approx(own + 0.002 / (8.617343e-5 * warm), abs=2e-3)
    assert found.info["inherent_energy"] > plain.info["inherent_energy"]


@pytest.mark.slow
def test_the_nearest_is_kept_where_time_is_short(packed: Atoms) -> None:
    start = first_minimum(packed)
    found = anneal(packed, MODEL, (start - 2.0, start - 1.0), QUICK, seed=1)
    assert start - 1.0 < found.info["inherent_energy"] < start


def test_settings_that_make_no_sense(packed: Atoms) -> None:
    with pytest.raises(VitrifyError, match="give the lower one first"):
        anneal(packed, MODEL, (0.0, -1.0), QUICK, seed=1)
    with pytest.raises(VitrifyError, match="time -1"):
        Anneal(time=-1.0)
    with pytest.raises(VitrifyError, match="margin"):
        Anneal(margin=0.5)


def test_generated_structures_are_annealed_to_the_energy_that_was_drawn(tmp_path: Path) -> None:
    path = write(tmp_path / "CuAu.glassvae.pt").path
    settings: Any = {"n_atoms": 32, "steps": 2, "seed": 4}
    (plain,) = generate_many(path, 1, **settings)
    (found,) = generate_many(path, 1, **settings, anneal=0.5)
    assert found.info["latent_energy"] == plain.info["latent_energy"]
    model = open_model(path, kind="glassvae")
    types = [SYSTEM.species.index(symbol) for symbol in found.symbols]
    still = model.predict(found.positions, found.cell.array, types)
    assert still.energy / 32 == pytest.approx(found.info["inherent_energy"], abs=1e-9)
    before = model.predict(plain.positions, plain.cell.array, types)
    assert np.abs(still.forces).max() < 0.05 < np.abs(before.forces).max()


def test_only_latent_models_are_annealed(tmp_path: Path) -> None:
    path = silicon(tmp_path / "Si.amshortcut.pt")
    with pytest.raises(VitrifyError, match="no energy to anneal to: give a corrector"):
        next(generate_many(path, 1, n_atoms=32, anneal=1.0))
