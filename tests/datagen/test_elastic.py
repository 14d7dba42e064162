"""Elastic constants: silicon against the literature and curves of its energy, turned cells, other minimisers."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.units import GPa

from vitrify.core.errors import VitrifyError
from vitrify.datagen.structures import elastic
from vitrify.datagen.structures.elastic import elastic_constants, relaxed, shear_modulus, youngs_modulus

SW = ("pair_style sw", "pair_coeff * * {potentials/Si.sw} Si")


def silicon(repeats: int = 2, seed: int = 1) -> Atoms:
    crystal = bulk("Si", "diamond", a=5.40, cubic=True) * repeats  # away from the minimum at 5.431 A
    crystal.rattle(0.02, seed=seed)
    return crystal


def disordered() -> Atoms:
    """Silicon with two vacancies and large displacements."""
    atoms = silicon()
    del atoms[[3, 40]]
    atoms.rattle(0.35, seed=5)
    return atoms


def test_silicon_has_the_published_constants_of_its_potential() -> None:
    constants = elastic_constants(silicon(), SW, ["Si"])
    assert np.diag(constants)[:3] == pytest.approx(151.4, abs=0.1)
    assert constants[[0, 0, 1], [1, 2, 2]] == pytest.approx(76.4, abs=0.1)
    assert np.diag(constants)[3:] == pytest.approx(56.4, abs=0.1)
    assert shear_modulus(constants) == pytest.approx(56.4, abs=0.1)
    assert youngs_modulus(constants) == pytest.approx(75 * (151.4 + 2 * 76.4) / (151.4 + 76.4), abs=0.3)


def test_constants_are_symmetric_and_those_of_a_turned_cell_have_the_same_invariants() -> None:
    atoms = disordered()
    constants = elastic_constants(atoms, SW, ["Si"])
    assert np.abs(constants - constants.T).max() < 0.1
    atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    assert np.abs(np.tril(atoms.cell[:]) - atoms.cell[:]).max() > 0.1
    # LAMMPS's frame of the cell is the one that it had before.
    assert elastic_constants(atoms, SW, ["Si"]) == pytest.approx(constants, abs=0.05)


def test_the_bulk_modulus_is_the_curvature_of_the_energy_over_the_volume() -> None:
    rest, energy = relaxed(silicon(1), SW, ["Si"])
    assert energy == pytest.approx(-4.3366, abs=1e-4) and rest.cell.lengths() == pytest.approx(5.431, abs=1e-3)
    energies = []
    for scale in (0.998, 1.0, 1.002):
        atoms = rest.copy()
        atoms.set_cell(rest.cell[:] * scale ** (1 / 3), scale_atoms=True)
        energies.append(relaxed(atoms, SW, ["Si"], relax_cell=False)[1] * len(rest))
    curvature = (energies[0] - 2 * energies[1] + energies[2]) / (0.002 * rest.get_volume()) ** 2
    constants = elastic_constants(rest, SW, ["Si"])
    assert (constants[0, 0] + 2 * constants[0, 1]) / 3 == pytest.approx(curvature * rest.get_volume() / GPa, rel=2e-3)


def test_conjugate_gradients_find_what_the_hessian_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    rest, energy = relaxed(disordered(), SW, ["Si"])
    constants = elastic_constants(rest, SW, ["Si"], relax_cell=False)
    monkeypatch.setattr(elastic, "_NEWTON", 0)
    monkeypatch.setattr(elastic, "_KINKED", 1e-5)
    assert elastic_constants(rest, SW, ["Si"], relax_cell=False) == pytest.approx(constants, abs=0.2)
    assert relaxed(rest, SW, ["Si"], relax_cell=False)[1] == pytest.approx(energy, abs=1e-6)


def test_a_relaxed_structure_has_no_force_and_no_stress_and_less_energy() -> None:
    atoms = disordered()
    rest, energy = relaxed(atoms, SW, ["Si"])
    assert energy < relaxed(atoms, SW, ["Si"], relax_cell=False)[1]
    with elastic.Solid(rest, SW, ["Si"]) as solid:
        solid.run_commands("run 0 post no")
        assert np.abs(solid.forces()).max() < 2e-4
        assert np.abs(solid.stress()).max() < 0.011
        assert solid.energy() == pytest.approx(energy, abs=1e-7)


def test_moduli_of_an_isotropic_solid() -> None:
    lame, shear = 40.0, 30.0
    constants = np.diag([2 * shear] * 3 + [shear] * 3)
    constants[:3, :3] += lame
    assert shear_modulus(constants) == pytest.approx(shear)
    assert youngs_modulus(constants) == pytest.approx(shear * (3 * lame + 2 * shear) / (lame + shear))


def test_elements_that_the_potential_lacks_and_positions_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(VitrifyError, match="the structure has O, the potential only Si"):
        elastic_constants(Atoms("SiO", cell=[5] * 3, positions=[[0, 0, 0], [1, 1, 1]]), SW, ["Si"])
    broken = silicon()
    broken.positions[0] = np.nan
    with pytest.raises(VitrifyError, match="no numbers"):
        elastic_constants(broken, SW, ["Si"])
