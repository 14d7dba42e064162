"""The neighbour list against a plain sum over images, and against a replicated cell."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vitrify.core.errors import VitrifyError
from vitrify.graphs.neighbours import build_graph, neighbour_list


def brute_force(positions: np.ndarray, cell: np.ndarray, cutoff: float) -> list[tuple]:
    """Every (i, j, vector) with |vector| < cutoff, from a loop over more images than can matter."""
    inverse = np.linalg.inv(cell)
    heights = 1 / np.linalg.norm(inverse, axis=0)
    spread = np.ptp(positions @ inverse, axis=0)
    reach = np.ceil(cutoff / heights + spread).astype(int)
    edges = []
    for shift in itertools.product(*(range(-n, n + 1) for n in reach)):
        vectors = positions[None] - positions[:, None] + np.array(shift) @ cell
        for i, j in zip(*np.nonzero(np.linalg.norm(vectors, axis=2) < cutoff), strict=True):
            if i != j or any(shift):
                edges.append((int(i), int(j), *np.round(vectors[i, j], 9) + 0.0))
    return sorted(edges)


def as_edges(index: np.ndarray, vectors: np.ndarray) -> list[tuple]:
    return sorted((int(i), int(j), *np.round(v, 9) + 0.0) for i, j, v in zip(*index, vectors, strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_a_sum_over_images(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(1.0, 4.0, 3)) + np.tril(rng.uniform(-1.5, 1.5, (3, 3)), -1)
    if seed % 3 == 0:  # a general cell, not only LAMMPS's lower-triangular ones
        cell = cell + rng.uniform(-0.4, 0.4, (3, 3))
    n = int(rng.integers(1, 12))
    positions = rng.random((n, 3)) @ cell
    if seed % 2:  # unwrapped, as in a trajectory
        positions = positions + rng.integers(-2, 3, (n, 3)) @ cell
    cutoff = rng.uniform(1.0, 3.5)
    assert as_edges(*neighbour_list(positions, cell, cutoff)) == brute_force(positions, cell, cutoff)


def test_small_cell_is_its_replicated_self() -> None:
    rng = np.random.default_rng(7)
    cell = np.array([[1.9, 0.0, 0.0], [0.5, 2.2, 0.0], [-0.4, 0.3, 2.0]])
    positions, cutoff, n = rng.random((6, 3)) @ cell, 2.6, 6
    shifts = np.array(list(itertools.product(range(3), repeat=3))) @ cell
    large = (positions[None] + shifts[:, None]).reshape(-1, 3)
    index, vectors = neighbour_list(positions, cell, cutoff)
    index_large, vectors_large = neighbour_list(large, 3 * cell, cutoff)
    for copy in (0, 13, 26):
        mine = index_large[0] // n == copy
        assert as_edges(index, vectors) == as_edges(index_large[:, mine] % n, vectors_large[mine])


def test_every_edge_has_its_reverse_and_dtypes_hold() -> None:
    rng = np.random.default_rng(3)
    cell = np.array([[3.0, 0.0, 0.0], [1.0, 2.5, 0.0], [0.2, 0.7, 2.8]])
    index, vectors = neighbour_list(rng.random((9, 3)) @ cell, cell, 2.9)
    assert index.dtype == np.int64 and vectors.dtype == np.float64
    assert as_edges(index, vectors) == as_edges(index[::-1], -vectors)
    assert (np.diff(index[0]) >= 0).all()


def test_without_periodicity() -> None:
    index, vectors = neighbour_list([[0, 0, 0], [0.9, 0, 0], [5, 0, 0]], np.eye(3), 1.0, pbc=False)
    assert as_edges(index, vectors) == [(0, 1, 0.9, 0.0, 0.0), (1, 0, -0.9, 0.0, 0.0)]


def test_no_atoms() -> None:
    index, vectors = neighbour_list(np.zeros((0, 3)), np.eye(3), 1.0)
    assert index.shape == (2, 0) and vectors.shape == (0, 3)


@pytest.mark.parametrize(
    ("positions", "cell", "cutoff", "message"),
    [
        ([[0, 0, np.nan]], np.eye(3), 1.0, "positions of atom 0"),
        ([[0, 0, 0], [np.inf, 0, 0]], np.eye(3), 1.0, "positions of atom 1"),
        ([[0, 0]], np.eye(3), 1.0, "shape"),
        ([[0, 0, 0]], np.zeros((3, 3)), 1.0, "no volume"),
        ([[0, 0, 0]], [[1, 0, 0], [0, 1, 0], [1, 1, 0]], 1.0, "no volume"),
        ([[0, 0, 0]], np.full((3, 3), np.nan), 1.0, "NaN"),
        ([[0, 0, 0]], np.eye(2), 1.0, "shape"),
        ([[0, 0, 0]], np.eye(3), 0.0, "cutoff"),
        ([[0, 0, 0]], np.eye(3), np.nan, "cutoff"),
    ],
)
def test_bad_input_is_one_clear_error(positions: list, cell: np.ndarray, cutoff: float, message: str) -> None:
    with pytest.raises(VitrifyError, match=message):
        neighbour_list(positions, cell, cutoff)


def test_build_graph_casts_after_computing_in_double() -> None:
    import torch

    cell = 2.0 * np.eye(3)
    # Unwrapped so far that single precision would lose the distance.
    positions = np.array([[1e7, 0.0, 0.0], [1e7 + 0.1, 0.0, 0.0]])
    graph = build_graph(positions, np.ones((2, 3)), cell, [0, 1], 0.5)
    assert graph.edge_vectors.dtype == torch.float32 and graph.types.tolist() == [0, 1]
    assert torch.allclose(graph.edge_vectors[:, 0].abs(), torch.tensor([0.1, 0.1]), atol=1e-6)
