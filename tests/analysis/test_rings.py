"""Shortest-path rings: crystals whose rings are known, cells narrower than a ring, and matscipy's count."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from matscipy.rings import ring_statistics

from vitrify.analysis import mean_ring_size, ring_counts
from vitrify.core.errors import VitrifyError


def diamond() -> Atoms:
    return bulk("Si", "diamond", a=5.431, cubic=True)


def cristobalite() -> Atoms:
    """Ideal beta-cristobalite: silicon on a diamond lattice, oxygen in the middle of each bond."""
    silicon = bulk("Si", "diamond", a=7.16, cubic=True)
    tetrahedron = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 8
    oxygen = [(s + t) % 1 for s in silicon.get_scaled_positions()[::2] for t in tetrahedron]
    return silicon + Atoms("O" * 16, scaled_positions=oxygen, cell=silicon.cell, pbc=True)


def test_diamond_has_two_rings_of_six_for_each_atom() -> None:
    counts = ring_counts(diamond())
    assert counts[6] == 16 and counts.sum() == 16
    assert mean_ring_size(diamond()) == 6.0


def test_cristobalite_has_two_rings_of_six_silicons_for_each_silicon() -> None:
    counts = ring_counts(cristobalite())
    assert counts[6] == 16 and counts.sum() == 16


@pytest.mark.parametrize("crystal", [bulk("Si", "diamond", a=5.431), diamond() * (1, 1, 2)])
def test_rings_of_a_primitive_cell_and_of_a_supercell_are_those_of_the_endless_crystal(crystal: Atoms) -> None:
    counts = ring_counts(crystal)
    assert counts[6] == 2 * len(crystal) and counts.sum() == counts[6]


@pytest.mark.parametrize("seed", [1, 2])
def test_odd_and_even_rings_of_a_random_network_are_those_that_matscipy_counts(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(10.0, 20.0, (60, 3))
    cluster = Atoms("Si60", positions=points, cell=np.eye(3) * 31.0, pbc=True)
    cutoff = 1.3 * 2 * 1.11  # the covalent radius of silicon is 1.11 A
    theirs = np.zeros(16, int)
    found = np.asarray(ring_statistics(cluster, cutoff, 15))
    theirs[: len(found)] = found
    ours = ring_counts(cluster)
    assert ours[3::2].sum() > ours[3] > 0 and ours[4::2].any()
    assert np.array_equal(ours, theirs[:13])


def test_atoms_of_other_elements_take_no_part() -> None:
    with_lithium = cristobalite() + Atoms("Li", scaled_positions=[[0.1, 0.2, 0.3]], cell=np.eye(3) * 7.16)
    assert np.array_equal(ring_counts(with_lithium), ring_counts(cristobalite()))


def test_what_has_no_rings_has_no_mean_and_what_has_no_silicon_is_refused() -> None:
    assert np.isnan(mean_ring_size(Atoms("SiO2", positions=[[0, 0, 0], [1.6, 0, 0], [0, 1.6, 0]], cell=[9] * 3)))
    with pytest.raises(VitrifyError, match="rings of Si are asked for, but the structure has Cu"):
        ring_counts(bulk("Cu"))
