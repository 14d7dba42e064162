"""Distributions of many samples against ASE's, crystals that are known, and counts by brute force."""

from __future__ import annotations

import time

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry.rdf import get_rdf

from vitrify.analysis import ensembles
from vitrify.analysis.angles import angle_counts
from vitrify.analysis.novelty import environments, novelty
from vitrify.core.errors import VitrifyError


def random_silica(seed: int, edge: float = 12.0, atoms: int = 90) -> Atoms:
    """Atoms of two kinds anywhere in a skewed cell."""
    rng = np.random.default_rng(seed)
    cell = np.array([[edge, 0, 0], [2.0, edge, 0], [-1.5, 1.0, edge]])
    symbols = ["Si"] * (atoms // 3) + ["O"] * (atoms - atoms // 3)
    return Atoms(symbols, scaled_positions=rng.random((atoms, 3)), cell=cell, pbc=True)


def displaced_silicon(seed: int, size: int = 3, spread: float = 0.1) -> Atoms:
    crystal = bulk("Si", cubic=True) * (size, size, size)
    crystal.positions += np.random.default_rng(seed).normal(scale=spread, size=crystal.positions.shape)
    return crystal


def images(atoms: Atoms) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each atom the vectors to all other atoms and images nearby, and their indices, one by one."""
    shifts = np.array([(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]) @ atoms.cell[:]
    found = []
    for i, centre in enumerate(atoms.positions):
        vectors = (atoms.positions[None] + shifts[:, None] - centre).reshape(-1, 3)
        index = np.tile(np.arange(len(atoms)), 27)
        keep = np.linalg.norm(vectors, axis=1) > 1e-9
        assert keep.sum() == 27 * len(atoms) - 1, i
        found.append((vectors[keep], index[keep]))
    return found


def test_total_rdf_is_that_of_ase() -> None:
    """ASE takes N for N - 1 partners."""
    samples = [displaced_silicon(seed) for seed in range(3)]
    ours = ensembles.rdf(samples)
    expected = np.mean([get_rdf(atoms, 5.0, 100)[0] for atoms in samples], axis=0)
    assert ours.mean() == pytest.approx(expected * 216 / 215, rel=1e-9)
    assert ours.mean("Si-Si") == pytest.approx(ours.mean())


def test_partial_rdf_counts_every_image_of_cells_of_any_shape() -> None:
    atoms = random_silica(1)
    found = ensembles.rdf([atoms], ["O", "Si"], 4.0, 8)
    silicon = atoms.symbols == "Si"
    distances = [
        np.linalg.norm(vectors[silicon[index]], axis=1)
        for i, (vectors, index) in enumerate(images(atoms)) if not silicon[i]
    ]  # fmt: skip
    counts, edges = np.histogram(np.concatenate(distances), np.linspace(0, 4, 9))
    ideal = 60 * 30 / atoms.get_volume() * 4 / 3 * np.pi * np.diff(edges**3)
    assert found.mean("O-Si") == pytest.approx(counts / ideal)


def test_angles_by_brute_force_and_in_known_crystals() -> None:
    atoms = random_silica(2)
    found = ensembles.adf([atoms], ["O", "Si"], cutoff=3.0, bins=36)
    silicon = atoms.symbols == "Si"
    angles: dict[str, list[float]] = {}
    for i, (vectors, index) in enumerate(images(atoms)):
        near = np.flatnonzero(np.linalg.norm(vectors, axis=1) < 3.0)
        for n, p in enumerate(near):
            for q in near[n + 1 :]:
                a, b = vectors[p], vectors[q]
                angle = np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))
                ends = sorted("Si" if silicon[index[e]] else "O" for e in (p, q))
                name = f"{ends[0]}-{'Si' if silicon[i] else 'O'}-{ends[1]}"
                angles.setdefault(name, []).append(angle)
    assert set(angles) | {"total"} == set(found.of)
    for name, kind in {**angles, "total": [a for values in angles.values() for a in values]}.items():
        expected = np.histogram(kind, 36, (0, 180), density=True)[0]
        assert found.mean(name) == pytest.approx(expected), name
    diamond = angle_counts(*_arrays(bulk("Si", cubic=True) * 2), 1, 3.0, 180)[0, 0, 0]
    assert diamond.sum() == diamond[109] == 64 * 6
    cubic = angle_counts(*_arrays(bulk("Po", "sc", a=3.0) * 3), 1, 3.2, 180)[0, 0, 0]
    assert (cubic[89] + cubic[90], cubic[179], cubic.sum()) == (27 * 12, 27 * 3, 27 * 15)


def _arrays(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return atoms.positions, atoms.cell[:], np.zeros(len(atoms), int)


def test_means_are_over_samples_and_the_floor_falls_with_their_number() -> None:
    """Samples of other sizes count as much; the floor of independent samples falls as 1 / sqrt(count)."""
    small, large = displaced_silicon(1), displaced_silicon(2, size=4)
    both = ensembles.adf([small, large])
    assert both.mean() == pytest.approx((ensembles.adf([small]).mean() + ensembles.adf([large]).mean()) / 2)
    assert both.mean().sum() == pytest.approx(1.0)
    curves = ensembles.rdf([displaced_silicon(seed, 2) for seed in range(80)])
    few, many = (ensembles.floor_rmsd(curves, count, repeats=40) for count in (5, 40))
    assert few / many == pytest.approx(np.sqrt((1 / 5 + 1 / 75) / (1 / 40 + 1 / 40)), rel=0.15)
    assert ensembles.rmsd(curves, curves)["total"] == 0
    one, other = curves.take(range(40)), curves.take(range(40, 80))
    assert ensembles.rmsd(one, other)["total"] == pytest.approx(many, rel=0.3)


def test_the_floor_keeps_frames_of_one_simulation_together() -> None:
    """Four frames that are one and the same add nothing: the floor is that of as many fewer samples."""
    single = ensembles.rdf([displaced_silicon(seed, 2) for seed in range(20)])
    groups = np.repeat(np.arange(20), 4).tolist()
    grouped = ensembles.floor_rmsd(single.take(groups), 40, groups, repeats=60)
    assert grouped == pytest.approx(ensembles.floor_rmsd(single, 10, repeats=60), rel=0.1)
    one, other = ensembles.disjoint(groups, 10, 3)
    assert len(one) == 10 and len(other) == 68 and not {i // 4 for i in one} & {i // 4 for i in other}
    assert np.isnan(ensembles.floor_rmsd(single, 5, [7] * 20))


def test_coordination_of_a_crystal_with_a_vacancy() -> None:
    crystal = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 2
    del crystal[next(atom.index for atom in crystal if atom.symbol == "Cl")]
    found = ensembles.coordination([crystal], ["Cl", "Na"], {"Cl-Cl": 4.5, "Cl-Na": 3.5, "Na-Na": 4.5})
    assert found["Na-Cl"][[5, 6]] == pytest.approx([6 / 32, 26 / 32])
    assert found["Cl-Na"][6] == 1
    assert found["Na-Na"][12] == 1
    assert ensembles.mean_coordination(found["Na-Cl"]) == pytest.approx(6 - 6 / 32)


def test_minima_of_rdf_lie_between_the_shells() -> None:
    minima = ensembles.first_minima(ensembles.rdf([displaced_silicon(seed) for seed in range(4)]))
    assert minima.keys() == {"Si-Si"} and 2.8 < minima["Si-Si"] < 3.2


def test_close_pairs_are_counted_by_species() -> None:
    atoms = Atoms("SiO2Si", positions=[[0, 0, 0], [1.6, 0, 0], [5, 5, 5], [9.5, 0, 0]], cell=[10] * 3, pbc=True)
    closest = ensembles.closest_pairs([atoms], ["O", "Si"])
    assert closest == {"O-O": np.inf, "O-Si": pytest.approx(1.6), "Si-Si": pytest.approx(0.5)}
    limits = {"O-O": np.inf, "O-Si": 1.7, "Si-Si": 0.4}
    assert ensembles.short_pairs([atoms], ["O", "Si"], limits) == {"per_atom": 0.25, "samples": 1.0}
    assert ensembles.short_pairs([atoms], ["O", "Si"], closest) == {"per_atom": 0.0, "samples": 0.0}


def test_low_q_sees_voids() -> None:
    """An ideal gas has S = 1 at every k; a crystal none below its peaks; one with a hole much."""
    gas = [random_silica(seed, atoms=300) for seed in range(100)]
    assert np.mean(ensembles.low_q(gas, 1.5)) == pytest.approx(1.0, abs=0.1)
    crystals = [displaced_silicon(seed, 3, 0.02) for seed in range(5)]
    limit = 0.95  # below (111) at 2 pi sqrt(3) / 5.43
    assert np.mean(ensembles.low_q(crystals, limit)) < 0.01
    hollow = crystals[0][np.linalg.norm(crystals[0].positions - 8, axis=1) > 4]
    assert ensembles.low_q([hollow], limit)[0] > 0.1
    assert np.isnan(ensembles.low_q([bulk("Si", cubic=True)], limit)[0])


def test_low_q_ends_at_half_the_first_peak() -> None:
    """Silica-like: a first peak that is lower than the main one, in samples whose cells lack some k."""
    k = np.arange(0.1, 5, 0.2)
    s = np.exp(-((k - 1.5) ** 2) / 0.1) + 1.5 * np.exp(-((k - 2.9) ** 2) / 0.1)
    rows = np.tile(s, (4, 1))
    rows[0, ::2] = rows[1, 1::2] = np.nan
    assert ensembles.low_q_limit(ensembles.Curves(k, {"total": rows})) == pytest.approx(0.75, abs=0.05)


def test_density_in_grams() -> None:
    assert ensembles.mass_densities([bulk("Si", cubic=True)])[0] == pytest.approx(2.33, abs=0.01)


def test_novelty_tells_copies_from_new_samples() -> None:
    """A copy, moved, turned and renumbered, is at zero; a jiggled copy nearer than an independent sample."""
    training = [displaced_silicon(seed, 2, 0.3) for seed in range(6)]
    copy = training[3].copy()
    copy.positions += [1.0, 2.0, -0.7]
    copy.rotate(90, "z", rotate_cell=True)
    copy = copy[np.random.default_rng(1).permutation(len(copy))]
    jiggled = training[4].copy()
    jiggled.positions += np.random.default_rng(2).normal(scale=0.02, size=jiggled.positions.shape)
    new = [displaced_silicon(seed, 2, 0.3) for seed in (10, 11)]
    distances, nearest = novelty([copy, jiggled, *new], training, ["Si"])
    assert nearest[:2].tolist() == [3, 4]
    assert distances[0] < 1e-9 and 0 < distances[1] < 0.3 * distances[2:].min()
    # Brute force over all training samples.
    one, others = environments(new[0], ["Si"]), [environments(atoms, ["Si"]) for atoms in training]
    gaps = [np.sqrt((np.linalg.norm(one[:, None] - o[None], axis=2).min(1) ** 2).mean()) for o in others]
    assert distances[2] == pytest.approx(min(gaps))


def test_a_thousand_samples_take_seconds() -> None:
    rng = np.random.default_rng(1)
    samples = [
        Atoms("Si256", scaled_positions=rng.random((256, 3)), cell=[17.0] * 3, pbc=True) for _ in range(50)
    ]  # fmt: skip
    start = time.process_time()
    ensembles.rdf(samples)
    ensembles.adf(samples)
    assert (time.process_time() - start) * 20 < 30


def test_bad_input() -> None:
    with pytest.raises(VitrifyError, match="no samples"):
        ensembles.rdf([])
    with pytest.raises(VitrifyError, match="has O, but only Si"):
        ensembles.adf([random_silica(1)], ["Si"])
    with pytest.raises(VitrifyError, match="differ in bins"):
        ensembles.rmsd(ensembles.rdf([displaced_silicon(1)]), ensembles.rdf([displaced_silicon(1)], bins=50))
