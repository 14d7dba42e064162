"""Places and sums of OGN in whole numbers: cells of every kind against eager PyTorch, bits, momentum, refusals."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from native_models.elsewhere import deviation
from native_models.ogn import MASSES, Array, liquid, make_model, write
from vitrify import open_model
from vitrify.core.errors import VitrifyError
from vitrify.graphs.neighbours import build_graph
from vitrify.ogn.native import NativeOGN
from vitrify.ogn.step import OGNStepper

Case = tuple[Array, Array, Array, Array]
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
CUTOFF, TIMESTEP, SPACING = 2.1, 0.025, 1.2 ** (-1 / 3)
TOO_MANY = 500  # neighbours for sums in 32 bits


def jittered(counts: tuple[int, int, int], seed: int = 0) -> Case:
    """positions, velocities, cell, types of a jittered simple cubic crystal at density 1.2."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in counts], indexing="ij"), -1).reshape(-1, 3)
    positions = SPACING * (grid + 0.1 * rng.standard_normal(grid.shape))
    cell = SPACING * np.diag(np.array(counts, float))
    return positions, 1.5 * rng.standard_normal(positions.shape), cell, rng.integers(0, 2, len(positions))


def in_other_vectors(case: Case, times: int) -> Case:
    """The same structure with cell vectors to which others are added `times` times."""
    positions, velocities, cell, types = case
    return positions, velocities, np.array([[1, 0, 0], [times, 1, 0], [-times, times, 1]]) @ cell, types


def far_outside(case: Case, cells: int) -> Case:
    """The same structure with each atom up to so many cells away."""
    positions, velocities, cell, types = case
    turns = np.random.default_rng(1).integers(-cells, cells + 1, positions.shape)
    return positions + turns @ cell, velocities, cell, types


def clusters(edge: float, count: int) -> Case:
    """Clusters of eight atoms along a cell that is so long."""
    positions, velocities, cell, types = jittered((2, 2, 2 * count))
    cell[2, 2] = edge
    positions[:, 2] += np.floor(positions[:, 2] / (2 * SPACING) + 0.25) * (edge / count - 2 * SPACING)
    return positions, velocities, cell, types


def slab_with_a_heap(of: int) -> Case:
    """A slab, and so many atoms in one place far from it."""
    positions, velocities, cell, types = jittered((5, 5, 5))
    rng, cell[2, 2] = np.random.default_rng(2), 40.0
    heap = np.array([2.0, 2.0, 22.0]) + 0.2 * rng.standard_normal((of, 3))
    return (
        np.concatenate([positions, heap]), np.concatenate([velocities, np.zeros((of, 3))]), cell,
        np.concatenate([types, rng.integers(0, 2, of)]),
    )  # fmt: skip


CASES: dict[str, Case] = {
    "two atoms": jittered((1, 1, 2)),
    "two atoms in another row": jittered((2, 1, 1)),
    "three atoms": jittered((1, 3, 1)),
    "four atoms": jittered((2, 2, 1)),
    "a wire": jittered((1, 1, 14)),
    "a wire across": jittered((14, 1, 2)),
    "a flat cell": jittered((9, 9, 1)),
    "a flat cell across": jittered((1, 8, 9)),
    "skewed, with images": in_other_vectors(jittered((5, 4, 5)), 1),
    "very skewed, with images": in_other_vectors(jittered((4, 5, 5)), 7),
    "skewed, without images": in_other_vectors(jittered((8, 7, 8)), 1),
    "very skewed, without images": in_other_vectors(jittered((7, 8, 8)), 20),
    "skewed and flat": in_other_vectors(jittered((7, 8, 1)), 2),
    "between two and three cutoffs": jittered((5, 6, 7)),
    "a thousand cells outside": far_outside(jittered((4, 5, 6)), 1000),
    "a thousand cells outside, without images": far_outside(jittered((8, 8, 7)), 1000),
    "far outside of a skewed cell": far_outside(in_other_vectors(jittered((8, 7, 7)), 2), 100),
    "10,000 long": clusters(1e4, 30),
    "10,000 long and skewed": in_other_vectors(clusters(1e4, 10), 1),
    "a heap": slab_with_a_heap(100),
}


@cache
def model() -> torch.nn.Module:
    return make_model("two cutoffs").double()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {dtype: write(folder / f"{dtype}.pt", make_model("two cutoffs"), dtype) for dtype in TOLERANCE}


@pytest.mark.parametrize("name", CASES)
def test_cells_of_every_kind(name: str, files: dict[str, Path]) -> None:
    case = CASES[name]
    with torch.no_grad():
        expected = [x.numpy() for x in model()(*build_graph(*case, CUTOFF, torch.float64))]
    for dtype, path in files.items():
        assert deviation(NativeOGN(path).predict(*case), expected) <= TOLERANCE[dtype], dtype


@pytest.mark.parametrize("shape", ["default", "narrow", "wide", "two cutoffs"])
@pytest.mark.parametrize(
    "case",
    [liquid(1), liquid(2), liquid(5), liquid(9), slab_with_a_heap(3), slab_with_a_heap(TOO_MANY)],
    ids=["an atom", "eight atoms", "with images", "without images", "close atoms", "a heap"],
)
def test_no_bit_depends_on_the_number_of_threads(
    shape: str, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "m.pt", make_model(shape))
    expected = NativeOGN(path).predict(*case)
    for threads in (2, 3, 7):
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        assert np.array_equal(NativeOGN(path).predict(*case), expected), threads


def test_sums_that_32_bits_are_too_few_for_are_of_the_same_numbers(files: dict[str, Path]) -> None:
    """So that a rank with a heap and one without agree on the forces between their atoms, to the last bit."""
    native = NativeOGN(files["float32"])
    alone = native.predict(*slab_with_a_heap(0))
    before = native.bytes
    for of in (3, 40, TOO_MANY):
        positions, velocities, cell, types = slab_with_a_heap(of)
        found = native.predict(positions, velocities, cell, types)
        assert np.array_equal([x[:125] for x in found], alone), of
        masses = np.array(MASSES)[types]
        assert np.abs(masses @ found[1]).max() < 3e-16 * np.abs(masses[:, None] * found[1]).sum()
    assert native.bytes > before + 200 * (125 + TOO_MANY), "there were no sums in double precision"


def test_forces_at_close_distances_alone(tmp_path: Path) -> None:
    """The unit of the sums is chosen by the forces of a melt, and this model has none there."""
    close = make_model("default")
    with torch.no_grad():
        for stage in close.stages:
            stage.filters.weight.reshape(3, 16, -1)[:, 2:] = 0.0
    positions, velocities, cell, types = jittered((4, 4, 4))
    case = 0.6 * positions, velocities, 0.6 * cell, types
    found = NativeOGN(write(tmp_path / "m.pt", close)).predict(*case)
    with torch.no_grad():
        expected = [x.numpy() for x in close.double()(*build_graph(*case, CUTOFF, torch.float64))]
    assert np.abs(expected[1]).max() > 0.0
    assert deviation(found, expected) < 1e-5


@pytest.mark.parametrize(
    ("counts", "strides", "tolerance"),
    [
        ((8, 8, 8), 1000, 1e-16),
        # An image's position is rounded once more than its atom's, which may change the last bit of its place.
        ((5, 6, 6), 2000, 1e-12),
        pytest.param((8, 8, 8), 10000, 1e-16, marks=pytest.mark.slow),
    ],
)
def test_momentum_and_centre_of_mass_of_a_long_run(
    counts: tuple[int, int, int], strides: int, tolerance: float
) -> None:
    native = open_model("kalj.ogn.pt", "native")
    assert native.metadata.dtype == "float32"
    positions, velocities, cell, _ = jittered(counts)
    types = (np.arange(len(positions)) % 5 == 0).astype(int)
    masses = np.array(native.metadata.masses)[types]
    velocities -= masses @ velocities / masses.sum()
    start = positions
    for stride in range(strides):
        if stride % 10 == 0:
            velocities = 0.7 * velocities / np.sqrt(np.mean(velocities**2))
        dr, dv = native.predict(positions, velocities, cell, types)
        positions, velocities = positions + dr, velocities + dv
    assert np.abs(positions - start).max() > 0.5  # they did move
    momenta = np.abs(masses[:, None] * velocities).sum()
    assert np.abs(masses @ velocities).max() < tolerance * np.sqrt(strides) * momenta
    # which moved the centre of mass by as much for each unit of time
    time = native.metadata.timestep * strides
    assert np.abs(masses @ (positions - start)).max() < (1.0 + time) * tolerance * np.sqrt(strides) * momenta


@pytest.mark.parametrize("counts", [(8, 8, 8), (5, 5, 5)], ids=["without images", "with images"])
@pytest.mark.parametrize("speed", [3000.0, 1e6, 1e12, 1e39])
def test_an_atom_that_moves_too_far_for_its_place_has_no_prediction(
    counts: tuple[int, int, int], speed: float, files: dict[str, Path]
) -> None:
    native = NativeOGN(files["float32"])
    positions, velocities, cell, types = jittered(counts)
    velocities[7] = 0.3, -speed, 0.2
    dr, dv = native.predict(positions, velocities, cell, types)
    assert not np.isfinite(dr[7]).all()
    others = np.arange(len(types)) != 7
    assert np.isfinite(dr[others]).all() and np.isfinite(dv[others]).all()
    with warnings.catch_warnings(), pytest.raises(VitrifyError, match="atom 8 is not a number after the prediction"):
        warnings.simplefilter("ignore")  # of the temperature
        OGNStepper(native, guard=False).step(positions, velocities, cell, types)


def test_an_atom_that_moves_as_far_as_its_place_can(files: dict[str, Path]) -> None:
    """Without images, a seventh of the box: across its neighbours and away from them, but not into their images."""
    positions, velocities, cell, types = jittered((8, 8, 8))
    native, edge = NativeOGN(files["float32"]), cell[0, 0]
    velocities[7] = edge / TIMESTEP * np.array([0.149, -0.149, 0.149])
    case = positions, velocities, cell, types
    with torch.no_grad():
        expected = [x.numpy() for x in model()(*build_graph(*case, CUTOFF, torch.float64))]
    dr, dv = native.predict(*case)
    assert deviation([dv, np.delete(dr, 7, 0)], [expected[1], np.delete(expected[0], 7, 0)]) < 1e-5
    velocities[7] *= 2.0
    assert not np.isfinite(native.predict(*case)[0][7]).all()


@pytest.mark.parametrize("edge", [1e9, 1e12])
def test_cells_that_are_too_long_for_single_precision(edge: float, files: dict[str, Path]) -> None:
    case = clusters(edge, 3)
    with pytest.raises(VitrifyError, match=r"too coarse for a cutoff of 2\.1: use a shorter cell, or .* float64"):
        NativeOGN(files["float32"]).predict(*case)
    assert np.isfinite(NativeOGN(files["float64"]).predict(*case)).all()
