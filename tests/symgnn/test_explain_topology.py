"""Persistent homology: optimal cycles beside homcloud's, radii of the species, and which cells it cannot treat."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from toy_explain import as_structure, needs_homcloud
from toy_symgnn import glass
from vitrify.data.structures import LabelledStructure
from vitrify.symgnn.explain import topology
from vitrify.symgnn.explain.subgraph import all_edges
from vitrify.symgnn.explain.topology import find_cycles, radii_of, shortest_path, why_not


def lj_glass() -> LabelledStructure:
    return as_structure(glass("lj", counts=(9, 9, 9), seed=2))


@needs_homcloud
def test_cycles_are_those_of_homcloud(tmp_path: Path) -> None:
    import homcloud.interface as hc

    structure = lj_glass()
    radii = np.array([0.5, 0.4])
    cycles = find_cycles(structure, radii)
    sides = np.diag(structure.cell)
    wrapped = structure.positions - np.floor(structure.positions / sides) * sides
    path = str(tmp_path / "x.pdgm")
    hc.PDList.from_alpha_filtration(
        np.column_stack([wrapped, radii[structure.types] ** 2]), weight=True, save_to=path, save_boundary_map=True,
        periodicity=[(0.0, float(side)) for side in sides],
    )  # fmt: skip
    pairs = hc.PDList(path).dth_diagram(1).pairs()
    assert len(pairs) == len(cycles.births) > 1000
    for number in range(0, len(pairs), 131):
        assert pairs[number].birth_time() == pytest.approx(cycles.births[number], abs=1e-12)
        assert len(pairs[number].optimal_1_cycle().path_edges) == cycles.sizes[number]
    assert cycles.counts.sum() == cycles.sizes.sum() and cycles.sizes.min() >= 3
    edges = all_edges(structure.positions, structure.cell, 2.0)
    bonds = edges.pairs.T
    assert cycles.of(bonds).sum() == 2 * cycles.counts.sum()  # each bond twice, and no cycle has longer edges
    assert np.array_equal(cycles.of(bonds), cycles.of(bonds[:, ::-1]))


def test_radii_add_up_to_the_first_peaks() -> None:
    """A rock salt of two species: unlike neighbours at 1, like ones at sqrt 2; with noise to smooth g(r)."""
    grid = np.array(list(itertools.product(range(8), repeat=3)))
    positions = grid + np.random.default_rng(0).normal(scale=0.03, size=grid.shape)
    types = grid.sum(1) % 2
    structure = LabelledStructure("salt", positions, 8.0 * np.eye(3), types, np.full(512, np.nan))
    # Of 2 r_0 = sqrt 2, 2 r_1 = sqrt 2 and r_0 + r_1 = 1, with equal weights, the mean.
    expected = (2 * np.sqrt(2) + 1) / 6
    assert radii_of(structure, ("A", "B")) == pytest.approx([expected, expected], abs=0.02)


def test_the_shortest_path_is_shortest() -> None:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import shortest_path as reference

    rng = np.random.default_rng(0)
    matrix = np.triu(rng.random((30, 30)) < 0.07, 1)
    matrix |= matrix.T
    hops = reference(csr_matrix(matrix), unweighted=True)
    neighbours = [np.flatnonzero(row).tolist() for row in matrix]
    for i, j in itertools.permutations(range(30), 2):
        path = shortest_path(neighbours, i, j)
        if np.isinf(hops[i, j]):
            assert path == []
        else:
            assert len(path) == hops[i, j] + 1 and path[0] == i and path[-1] == j
            assert all(matrix[a, b] for a, b in itertools.pairwise(path))


def test_cells_without_homology_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    if topology.find_spec("homcloud") is None:
        monkeypatch.setattr(topology, "find_spec", lambda name: object())

    def cell_of(cell: np.ndarray) -> LabelledStructure:
        n = int(0.06 * np.linalg.det(cell))
        return LabelledStructure("x", np.zeros((n, 3)), cell, np.zeros(n, int), np.full(n, np.nan))

    assert why_not(cell_of(np.diag([50.0, 52.0, 51.0])), 5.0) is None
    assert "replicate" in str(why_not(cell_of(np.diag([50.0, 52.0, 51.0])), 26.0))
    tilted = np.diag([50.0, 50.0, 50.0])
    tilted[1, 0] = 5.0
    for cell, text in (
        (tilted, "not orthogonal"),
        (np.diag([50.0, 50.0, 19.0]), "replicate"),
        (np.diag([50.0, 50.0, 110.0]), "twice"),
    ):
        assert text in str(why_not(cell_of(cell), 5.0))
