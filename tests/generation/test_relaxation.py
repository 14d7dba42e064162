"""The corrector on real potentials: it mends what is broken, keeps the rest, and refuses what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry import get_distances

from vitrify.core.errors import VitrifyError
from vitrify.generation.relaxation import charges_of, correct, default_timestep, inherent_energy

SILICON = ("pair_style sw", "pair_coeff * * {potentials/Si.sw} Si")
SILICA = ("pair_style tersoff", "pair_coeff * * {potentials/SiO.tersoff} Si O")
CRYSTAL = -4.3366  # eV for each atom of diamond silicon, Stillinger and Weber 1985


def silicon(spread: float = 0.0, seed: int = 1) -> Atoms:
    atoms = bulk("Si", cubic=True) * 2
    atoms.positions += np.random.default_rng(seed).normal(scale=spread, size=atoms.positions.shape)
    return atoms


def gaps(one: Atoms, other: Atoms) -> np.ndarray:
    """Distances of equal atoms, by the nearest image, without the common shift."""
    vectors = np.einsum("iij->ij", get_distances(one.positions, other.positions, one.cell, True)[0])
    return np.linalg.norm(vectors - vectors.mean(0), axis=1)


def test_minimisation_brings_a_shaken_crystal_back() -> None:
    found = correct(silicon(0.1), SILICON, species=["Si"], iterations=500)
    assert found.info["energy"] / 64 == pytest.approx(CRYSTAL, abs=1e-3)
    assert gaps(found, silicon()).max() < 0.02
    assert inherent_energy(silicon(0.1), SILICON, species=["Si"]) == pytest.approx(CRYSTAL, abs=1e-4)


def test_nothing_but_the_energy_where_nothing_is_asked() -> None:
    start = silicon(0.1)
    found = correct(start, SILICON, species=["Si"], minimise=False)
    assert gaps(found, start).max() < 1e-9
    assert found.cell[:] == pytest.approx(start.cell[:])
    assert "energy" not in start.info


def test_cells_of_any_orientation_keep_their_frame() -> None:
    """A crystal turned and mirrored: the energy is the same, and atoms come back where they were."""
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    for q in (turn, turn @ np.diag([1.0, 1.0, -1.0])):
        start = silicon(0.05)
        start.set_cell(start.cell[:] @ q)
        start.positions = start.positions @ q
        found = correct(start, SILICON, species=["Si"], iterations=300)
        expected = silicon()
        expected.set_cell(start.cell)
        expected.positions = expected.positions @ q
        assert found.info["energy"] / 64 == pytest.approx(CRYSTAL, abs=1e-3)
        assert gaps(found, expected).max() < 0.02


def test_overlaps_and_coinciding_atoms_are_pushed_apart() -> None:
    start = silicon()
    start.positions[5] = start.positions[0]
    start.positions[9] = start.positions[20] + [0.4, 0, 0]
    found = correct(start, SILICON, species=["Si"], iterations=200)
    distances = get_distances(found.positions, cell=found.cell, pbc=True)[1]
    assert distances[np.triu_indices(64, 1)].min() > 1.8
    assert found.info["energy"] / 64 < -3.8


def test_md_has_the_temperature_and_the_seed() -> None:
    """Of a solid in which half of the heat is potential: 3/2 kT above the minimum on average, at 300 K."""
    runs = [
        correct(silicon(), SILICON, species=["Si"], temperature=300, steps=400, damping=0.05, seed=seed)
        for seed in (*range(1, 9), 1)
    ]
    heat = np.mean([atoms.info["energy"] / 64 - CRYSTAL for atoms in runs[:8]])
    assert heat == pytest.approx(1.5 * 8.617e-5 * 300, rel=0.12)
    assert np.array_equal(runs[0].positions, runs[8].positions)
    assert not np.allclose(runs[0].positions, runs[1].positions)
    again = correct(silicon(), SILICON, species=["Si"], temperature=300, steps=400, thermostat="csvr", seed=1)
    assert not np.allclose(again.positions, runs[0].positions)


def test_an_anneal_ends_at_its_final_temperature() -> None:
    """The harmonic crystal: 3/2 k T of potential energy for each atom."""
    options = {"species": ["Si"], "steps": 3000, "minimise": False, "temperature": 800.0}
    energies = [
        [correct(silicon(), SILICON, seed=seed, **options, **end).info["energy"] / 64 for seed in range(1, 4)]
        for end in ({}, {"final_temperature": 100.0})
    ]
    hot, cold = (np.mean(found) - CRYSTAL for found in energies)
    assert hot == pytest.approx(1.5 * 8.617e-5 * 800, rel=0.3)
    assert cold == pytest.approx(1.5 * 8.617e-5 * 100, rel=0.5)


def test_species_in_the_order_of_the_potential() -> None:
    """Silica whose atoms are not sorted by type keeps their order."""
    atoms = bulk("SiO2", "fluorite", a=5.0, cubic=True)[np.random.default_rng(1).permutation(12)]
    found = correct(atoms, SILICA, species=["Si", "O"])
    assert found.get_chemical_symbols() == atoms.get_chemical_symbols()
    swapped = atoms.copy()
    swapped.symbols = ["O" if s == "Si" else "Si" for s in atoms.symbols]
    assert correct(swapped, SILICA, species=["O", "Si"], iterations=0).info["energy"] == pytest.approx(
        correct(atoms, SILICA, species=["Si", "O"], iterations=0).info["energy"]
    )


def test_charges_stand_in_the_commands() -> None:
    """Rock salt with formal charges: Madelung's constant."""
    commands = (
        "pair_style coul/dsf 0.15 14.0", "pair_coeff * *", "set type 1 charge 1.0", "set type 2 charge -1.0"
    )  # fmt: skip
    assert charges_of(commands, 2) == [1.0, -1.0] and charges_of(SILICA, 2) is None
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 2
    energy = correct(atoms, commands, species=["Na", "Cl"], minimise=False).info["energy"] / 32
    assert energy == pytest.approx(-1.74756 * 14.39964 / 2.82, rel=0.01)


def test_steps_that_light_atoms_bear() -> None:
    assert (default_timestep(["Si"]), default_timestep(["Si", "O"])) == (0.002, 0.001)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"species": ["Ge"]}, "has Si, the potential is for Ge"),
        ({"steps": 5}, "at 0 K: give a temperature"),
        ({"steps": -5}, "must not be negative"),
        ({"steps": 5, "temperature": 300.0, "thermostat": "nose"}, "thermostat 'nose' is unknown"),
        ({"steps": 5, "temperature": 300.0, "timestep": -1.0}, "must be above zero, in ps"),
        ({"commands": ("pair_style nothing",)}, "LAMMPS refused"),
        ({"steps": 50, "temperature": 300.0, "timestep": 0.5}, "not finite|too far from what the potential knows"),
    ],
)
def test_bad_input(change: dict[str, object], message: str) -> None:
    options: dict[str, object] = {"commands": SILICON, "species": ["Si"], **change}
    with pytest.raises(VitrifyError, match=message):
        correct(silicon(), **options)  # type: ignore[arg-type]


def test_bad_structures() -> None:
    broken = silicon()
    broken.positions[3] = np.nan
    with pytest.raises(VitrifyError, match="positions of atom 3"):
        correct(broken, SILICON, species=["Si"])
    with pytest.raises(VitrifyError, match="no atoms"):
        correct(Atoms(cell=[5, 5, 5], pbc=True), SILICON, species=["Si"])
