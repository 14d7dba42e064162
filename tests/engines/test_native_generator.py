"""The compiled sampler against the one in Python, brute force, and linear algebra."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glass_files import REDUCED, SILICA, SILICON, SPREADS, cube, oblique, write_glass
from oracles.counter_rng import lattice
from vitrify import _core
from vitrify.core.errors import VitrifyError
from vitrify.engines.load import load_model
from vitrify.generation.processes import Flow, State
from vitrify.generation.sampler import Steps, sample
from vitrify.graphs.neighbours import neighbour_list
from vitrify.modelfile.metadata import Validity

LEFT_HANDED = np.array([[0, 9.0, 0], [9.0, 2.0, 0], [1.0, 3.0, 12.0]])
SEED = 4000000007  # beyond a signed 32-bit integer
FREE = Validity(number_density=(0.062, 0.070), composition=SILICA["validity"].composition)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("generators")


@pytest.fixture(scope="module")
def silica(folder: Path) -> Any:
    return _core.Generator(str(write_glass(folder / "silica.pt")))


def wrapped(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    fractional = positions @ np.linalg.inv(cell)
    return (fractional - np.floor(fractional)) @ cell


def apart(a: np.ndarray, b: np.ndarray, cell: np.ndarray) -> float:
    """The largest distance between atoms of two structures, across the borders of the cell."""
    fractional = (a - b) @ np.linalg.inv(cell)
    return float(np.abs((fractional - np.round(fractional)) @ cell).max())


def shortest(positions: np.ndarray, types: np.ndarray, cell: np.ndarray, reach: float = 4.0) -> dict[int, float]:
    """The smallest distance of each pair of species, from the package's other search."""
    (i, j), vectors = neighbour_list(positions, cell, reach)
    high, low = np.maximum(types[i], types[j]), np.minimum(types[i], types[j])
    lengths, pairs = np.linalg.norm(vectors, axis=1), high * (high + 1) // 2 + low
    return {int(pair): float(lengths[pairs == pair].min()) for pair in np.unique(pairs)}


@pytest.mark.parametrize("cell", [cube(100, 0.05), oblique(100, 0.05), LEFT_HANDED, np.diag([3.0, 9.0, 40.0])])
@pytest.mark.parametrize("n", [1, 2, 7, 97, 1000])
def test_lattice(cell, n):
    for seed in (0, 3, SEED):
        for species in (0, 5):
            found = _core.lattice(cell, n, seed, species)
            np.testing.assert_allclose(found, lattice(cell, n, seed, species), rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [cube, oblique])
def test_without_a_network_there_is_the_start(folder, make):
    path = write_glass(folder / "still.pt", size=0.0, validity=FREE)
    cell = make(90, 0.066)
    positions, types = _core.Generator(str(path)).generate(cell, [30, 60], 1, 7, [0, 0], [0, 0])
    start = Flow(2, 0.3).start(cell, np.repeat([0, 1], [30, 60]), 7)
    np.testing.assert_array_equal(types, start.elements.argmax(1))
    assert apart(positions, start.positions, cell) < 1e-12
    np.testing.assert_allclose(positions, wrapped(positions, cell), atol=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
@pytest.mark.parametrize(
    ("steps", "churn", "values"),
    [(1, 0.0, [np.nan, np.nan]), (5, 0.0, [33.0, np.nan]), (6, 0.3, [25.0, 6.4]), (3, 2.0, [np.nan, 5.0])],
)
def test_it_samples_as_python_does(folder, dtype, tolerance, steps, churn, values):
    path = write_glass(folder / f"free_{dtype}.pt", dtype=dtype, size=0.5, validity=FREE)
    opened: Any = load_model(path)
    cell = oblique(90, 0.066)

    def network(state: State, time: float, step: float) -> tuple[np.ndarray, np.ndarray]:
        return opened.answer(state.positions, state.cell, state.elements, time, step, values)

    process = Flow(2, 0.3)
    start = process.start(cell, np.repeat([0, 1], [30, 60]), SEED)
    spread = opened.metadata.hyperparameters.get("churn_spread", 0.3)
    expected = sample(network, process, start, Steps(steps, churn=churn, spread=spread), SEED).positions
    assert np.abs(expected - start.positions).max() > 0.1, "a network that does nothing tests nothing"
    known = (~np.isnan(values)).astype(float)
    got, types = _core.Generator(str(path)).generate(cell, [30, 60], steps, SEED, np.nan_to_num(values), known, churn)
    np.testing.assert_array_equal(types, start.elements.argmax(1))
    assert apart(got, expected, cell) < tolerance


def test_a_seed_gives_one_structure(folder, silica, monkeypatch):
    cell = cube(300, 0.066)
    request = (cell, [100, 200], 3, 5, [30.0, 0.0], [1.0, 0.0])
    first, types = silica.generate(*request)
    silica.generate(oblique(90, 0.066), [30, 60], 2, 9, [0, 0], [0, 0])
    np.testing.assert_array_equal(silica.generate(*request)[0], first)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    threaded = _core.Generator(str(folder / "silica.pt"))
    np.testing.assert_array_equal(threaded.generate(*request)[0], first)
    assert np.bincount(types).tolist() == [100, 200]
    others = [silica.generate(cell, [100, 200], 3, 6, *request[4:])[0]]
    others.append(silica.generate(cell, [100, 200], 3, 5, [20.0, 0.0], [1.0, 0.0])[0])
    assert all(apart(first, other, cell) > 0.01 for other in others)


def test_closest_pairs(silica):
    cell = oblique(300, 0.066)
    positions, types = silica.generate(cell, [100, 200], 2, 5, [0, 0], [0, 0])
    found = shortest(positions, types, cell)
    limits = SILICA["validity"].min_distance
    assert silica.pushed > 0, "there was nothing to push apart"
    for pair, distance in enumerate(silica.closest):
        assert distance == pytest.approx(found[pair], abs=1e-9)
        assert distance > 0.98 * limits[pair]


@pytest.mark.parametrize("cell", [cube(200, 0.05), oblique(200, 0.05), np.diag([4.2, 6.0, 160.0])])
def test_push_apart(cell):
    random = np.random.default_rng(1)
    positions, types = random.random((200, 3)) @ cell * 3 - 20, random.integers(0, 2, 200)
    limits = [2.0, 1.5, 1.8]
    before = shortest(positions, types, cell)
    assert all(before[pair] < 0.5 * limits[pair] for pair in range(3))
    moved, pairs = _core.push_apart(cell, positions, types, limits)
    after = shortest(moved, types, cell)
    assert all(after[pair] > 0.999 * limits[pair] for pair in range(3))
    assert pairs > 20
    again, none = _core.push_apart(cell, moved, types, [0.99 * limit for limit in limits])
    assert none == 0
    assert apart(again, moved, cell) < 1e-12


def test_a_pair_is_moved_along_its_line():
    cell = np.eye(3) * 10.0
    positions = np.array([[9.9, 5.0, 5.0], [0.3, 5.0, 5.3], [5.0, 5.0, 5.0]])
    moved, pairs = _core.push_apart(cell, positions, [0, 0, 0], [2.0])
    assert pairs == 1
    line = np.array([0.4, 0.0, 0.3]) / 0.5
    expected = positions + np.outer([-0.75, 0.75, 0.0], line)
    assert apart(moved, expected, cell) < 0.002
    same, _ = _core.push_apart(cell, np.full((2, 3), 3.0), [0, 0], [2.0])
    assert np.linalg.norm(same[1] - same[0]) == pytest.approx(2.0, rel=2e-3)


def test_structures_that_stay_too_close_are_refused(folder):
    crowded = Validity(number_density=(0.02, 0.09), composition={"Si": (1, 1)}, min_distance=(3.6,))
    core = _core.Generator(str(write_glass(folder / "crowded.pt", SILICON, validity=crowded)))
    core.generate(cube(64, 0.02), [64], 1, 1)
    with pytest.raises(VitrifyError, match=r"\d+ pairs of atoms are closer than in the training data.*Si-Si at .*3.6"):
        core.generate(cube(64, 0.09), [64], 1, 1)


def brute_force(n: int, fractions: np.ndarray, charges: np.ndarray) -> np.ndarray | None:
    """The nearest neutral composition of n atoms, among all of them."""
    found = [c for c in product(range(n + 1), repeat=len(charges)) if sum(c) == n and abs(np.dot(c, charges)) < 1e-9]
    distances = [((np.array(c) - n * fractions) ** 2).sum() for c in found]
    return np.array(found)[np.argmin(distances)] if found else None


def glass_of(species: tuple[str, ...], charges: tuple[float, ...], fractions: tuple[float, ...]) -> dict[str, Any]:
    names = ["number_density", *(f"fraction:{name}" for name in species)]
    return {
        "species": species,
        "masses": (10.0,) * len(species),
        "units": "metal",
        "validity": Validity(number_density=(0.06, 0.07), composition={}),
        "properties": [],
        "statistics": {
            "names": names, "mean": [0.065, *fractions], "covariance": np.zeros((len(names), len(names))).tolist()
        },
        "charges": charges,
    }  # fmt: skip


def test_neutral_compositions_are_the_nearest(folder):
    charges, fractions = (0.6, 1.8, 2.4, -1.2), (0.1, 0.05, 0.25, 0.6)
    glass = glass_of(("Li", "Al", "Si", "O"), charges, fractions)
    core = _core.Generator(str(write_glass(folder / "four.pt", glass)))
    assert core.counts(2000)[1] % 2 == core.counts(2000)[0] % 2
    neutral = np.array([0.2, 0.1, 0.1, 0.45]) / 0.85  # 0.12 + 0.18 + 0.24 - 0.54 = 0
    for n in (6, 11, 17, 30):
        expected = brute_force(n, neutral, np.array(charges))
        assert expected is not None
        got = np.array(core.counts(n, fractions=neutral.tolist()))
        distance = [((c - n * neutral) ** 2).sum() for c in (got, expected)]
        assert got.sum() == n
        assert abs(got @ charges) < 1e-9
        assert distance[0] == pytest.approx(distance[1], abs=1e-9)
    assert np.array(core.counts(850000, fractions=neutral.tolist())).tolist() == [200000, 100000, 100000, 450000]
    without = core.counts(900, fractions=[0.0, 0.0, 1.0, 2.0])
    assert without == [0, 0, 300, 600]


def test_counts(folder, silica):
    assert silica.counts(99, 0.0, [0, 0], [0, 0]) == [33, 66]
    with pytest.raises(VitrifyError, match="100 atoms of Si O cannot be neutral: use 99 or 102"):
        silica.counts(100, 0.0, [0, 0], [0, 0])
    with pytest.raises(VitrifyError, match="1 atoms of Si O cannot be neutral: use 3"):
        silica.counts(1, 0.0, [0, 0], [0, 0])
    with pytest.raises(VitrifyError, match=r"composition is not neutral, it has a charge of 0.6"):
        silica.counts(99, 0.0, [0, 0], [0, 0], [1.0, 1.0])
    # 0.066 x 1520 = 100.3: the nearest that can be is 99
    assert silica.counts(None, 1520.0, [0, 0], [0, 0]) == [33, 66]
    assert silica.counts(None, 1520.0, [0, 0], [0, 0], None, 0.0667) == [34, 68]
    for n, match in ((0, "number of atoms is 0"), (-3, "number of atoms is -3"), (2**40, "number of atoms")):
        with pytest.raises(VitrifyError, match=match):
            silica.counts(n, 0.0, [0, 0], [0, 0])
    with pytest.raises(VitrifyError, match="none at all"):
        silica.counts(None, 2.0, [0, 0], [0, 0])
    free = _core.Generator(str(write_glass(folder / "lj.pt", REDUCED)))
    assert free.counts(101) == [81, 20]
    assert free.counts(1) == [1, 0]
    assert free.counts(7, fractions=[1, 1]) in ([4, 3], [3, 4])
    for fractions in ([1.0], [-1.0, 2.0], [0.0, 0.0], [np.nan, 1.0]):
        with pytest.raises(VitrifyError, match=r"fraction"):
            free.counts(10, fractions=fractions)


def test_density_and_composition_follow_from_what_is_asked_for(silica):
    mean = np.array(SILICA["statistics"]["mean"])

    def expected(given: list[int], values: list[float]) -> np.ndarray:
        inverse = np.linalg.pinv(SPREADS[np.ix_(given, given)], rcond=1e-12)
        return mean + SPREADS[:, given] @ inverse @ (np.array(values) - mean[given])

    assert silica.density([0, 0], [0, 0]) == pytest.approx(0.066)
    assert silica.density([32.0, 0], [1, 0]) == pytest.approx(expected([3], [32.0])[0])
    assert silica.density([28.0, 6.3], [1, 1]) == pytest.approx(expected([3, 4], [28.0, 6.3])[0])
    # both fractions are given, so that the covariance of what is given is singular
    composition = [0.34, 0.66]
    assert silica.density([28.0, 0], [1, 0], composition) == pytest.approx(expected([1, 3], [0.34, 28.0])[0])
    # far outside, the density stays within the training data's
    assert silica.density([1000.0, 0], [1, 0]) == 0.070
    assert silica.density([-1000.0, 0], [1, 0]) == 0.062


def test_composition_follows_from_properties(folder):
    core = _core.Generator(str(write_glass(folder / "neutral.pt", charges=None)))
    stiff = core.counts(10000, 0.0, [34.0, 0.0], [1, 0])
    # fraction of Si: 1/3 + 0.5 x 0.01 x (34 - 30) / 4
    assert stiff == [3383, 6617]
    assert core.counts(10000, 0.0, [0, 0], [0, 0]) == [3333, 6667]


def test_warnings(silica):
    assert silica.warnings(cube(99, 0.066), [33, 66], [30.0, 99.0], [1, 0]) == []
    found = silica.warnings(cube(99, 0.073), [50, 49], [50.0, 6.0], [1, 1])
    assert len(found) == 2
    assert "target shear_modulus 50 GPa is outside the training data's range of 20 to 40 GPa" in found[0]
    assert "the fraction of Si is 0.5051, outside" in found[1] and "the number density is 0.073, outside" in found[1]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"counts": [0, 0]}, "zero atoms"),
        ({"counts": [-1, 4]}, "number of atoms of a species is -1"),
        ({"counts": [33]}, "numbers of atoms for 1 species: the model has Si O"),
        ({"cell": cube(99, 0.09)}, "density of 0.09 atoms per volume is impossible.*0.062 to 0.07"),
        ({"cell": cube(99, 0.04)}, "density of 0.04 .*impossible"),
        ({"cell": np.zeros((3, 3))}, "density of inf .*impossible"),
        ({"cell": np.full((3, 3), np.nan)}, "cell holds NaN"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 1_000_001}, "steps is 1000001"),
        ({"churn": -0.1}, "churn is -0.1"),
        ({"properties": [1.0]}, "got 1 properties: the model has 2"),
        ({"properties": [np.nan, 0.0], "known": [1, 0]}, "target of shear_modulus is not finite"),
        ({"counts": [600_000_000, 1_200_000_000], "cell": cube(1_800_000_000, 0.066)}, r"need about \d+ GB of memory"),
    ],
)
def test_bad_requests(silica, change, match):
    request = {"cell": cube(99, 0.066), "counts": [33, 66], "properties": [0, 0], "known": [0, 0], **change}
    with pytest.raises(VitrifyError, match=match):
        silica.generate(**request)


def test_reference_case(silica):
    assert silica.reference_error() < 1e-10


def test_a_large_cell_is_filled_as_a_small_one(folder):
    core = _core.Generator(str(write_glass(folder / "large.pt", SILICON, "float32", width=8)))
    cell = cube(8000, 0.05)
    positions, types = core.generate(cell, [8000], 2, 1)
    assert len(types) == 8000
    counts = np.histogramdd(positions @ np.linalg.inv(cell), bins=4, range=[(0, 1)] * 3)[0]
    assert counts.std() < 0.6 * np.sqrt(8000 / 64)
    assert core.closest[0] > 0.98 * 2.1
