"""Persistent homology of a structure: in how many optimal 1-cycles each pair of atoms is.

Balls of radius sqrt(r_s^2 + alpha) grow around the atoms (weighted alpha complex, periodic). Each hole that opens and
closes again has a birth, the bond that closes its ring, and an optimal cycle: the shortest ring through that bond of
bonds that were there before. homcloud (GPL-3, an optional extra) computes complex and diagram.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.data.structures import LabelledStructure

INSTALL = "pip install 'vitrify[explain]'"


@dataclass(frozen=True)
class Cycles:
    """Optimal 1-cycles of a structure.

    pairs (k, 2): atoms i < j, sorted, of every bond in a cycle; counts (k,): in how many. births, deaths (c,): of the
    cycles, in squared length; sizes (c,): bonds in each. radii: of the species.
    """

    pairs: np.ndarray
    counts: np.ndarray
    births: np.ndarray
    deaths: np.ndarray
    sizes: np.ndarray
    radii: np.ndarray

    def of(self, bonds: np.ndarray) -> np.ndarray:
        """(b,) the number of cycles that contain each bond (b, 2)."""
        many = 1 + int(max(self.pairs.max(initial=0), bonds.max(initial=0)))
        known = self.pairs[:, 0] * many + self.pairs[:, 1]
        wanted = bonds.min(1) * many + bonds.max(1)
        if len(known) == 0:
            return np.zeros(len(bonds), np.int64)
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[place] == wanted, self.counts[place], 0)


def why_not(structure: LabelledStructure, cutoff: float) -> str | None:
    """Why the cycles of a structure cannot be found, with the remedy; None if they can. cutoff: of the bonds."""
    cell = structure.cell
    if find_spec("homcloud") is None:
        return f"homcloud is not installed (it is GPL-3, so it is an optional extra): {INSTALL}"
    if np.abs(cell - np.diag(np.diag(cell))).max() > 1e-6 * np.abs(cell).max():
        return "the cell is not orthogonal along x, y and z, as a periodic alpha complex needs it: give such a cell"
    sides = np.diag(cell)
    # In a narrow cell a pair of atoms has several bonds, and the triangulation is no simplicial complex.
    least = max(2 * cutoff, 8 * structure.number_density ** (-1 / 3))
    if sides.min() < least:
        return f"the cell is {sides.min():.4g} wide, but should be {least:.4g} or more: replicate it"
    if sides.max() > 2 * sides.min():
        return "one side of the cell is more than twice another, which a periodic triangulation cannot do: replicate it"
    return None


def radii_of(structure: LabelledStructure, species: Sequence[str]) -> np.ndarray:
    """Radii of the species (S,): r_a + r_b is the first peak of g_ab, by least squares with the numbers of pairs."""
    from vitrify.analysis.structure import first_peak, partial_rdf

    frames, furthest = structure.positions[None], 3 * structure.number_density ** (-1 / 3)
    rdf = partial_rdf(frames, structure.cell, structure.types, len(species), furthest, 120)
    rows, peaks = [], []
    for a, b in combinations_with_replacement(range(len(species)), 2):
        if rdf.g[a, b].max() > 0:
            row = np.zeros(len(species))
            row[a] += 1.0
            row[b] += 1.0
            weight = np.sqrt((structure.types == a).mean() * (structure.types == b).mean())
            rows.append(weight * row)
            peaks.append(weight * first_peak(rdf.r, rdf.g[a, b])[0])
    return np.asarray(np.linalg.lstsq(np.array(rows), np.array(peaks), rcond=None)[0])


def find_cycles(
    structure: LabelledStructure, radii: np.ndarray, tick: Callable[[int], object] = lambda done: None
) -> Cycles:
    """All optimal 1-cycles; `tick` is called with the number of cells of the complex that were passed.

    structure: orthogonal and wide enough, see `why_not`. radii (S,) in units of length.
    """
    simplices, births, deaths, pairs = _diagram(structure, radii)
    born = dict(zip(pairs, range(len(pairs)), strict=True))
    rings: dict[tuple[int, int], int] = {}
    sizes = np.zeros(len(pairs), np.int64)
    neighbours: list[list[int]] = [[] for _ in range(len(structure))]
    for index, simplex in enumerate(simplices):
        if len(simplex) == 2:
            i, j = simplex
            if index in born:
                ring = shortest_path(neighbours, i, j)
                sizes[born[index]] = len(ring)
                for a, b in zip(ring, [*ring[1:], ring[0]], strict=True):
                    pair = (min(a, b), max(a, b))
                    rings[pair] = rings.get(pair, 0) + 1
            neighbours[i].append(j)
            neighbours[j].append(i)
        if index % 1000 == 999:
            tick(1000)
    tick(len(simplices) % 1000)
    found = sorted(rings)
    return Cycles(
        pairs=np.array(found, np.int64).reshape(-1, 2),
        counts=np.array([rings[pair] for pair in found], np.int64),
        births=births, deaths=deaths, sizes=sizes, radii=radii,
    )  # fmt: skip


def shortest_path(neighbours: Sequence[Sequence[int]], start: int, end: int) -> list[int]:
    """A path of fewest edges from `start` to `end`, both included; empty if there is none."""
    before = {start: start}
    queue = deque([start])
    while queue:
        at = queue.popleft()
        for other in neighbours[at]:
            if other in before:
                continue
            before[other] = at
            if other == end:
                path = [end]
                while path[-1] != start:
                    path.append(before[path[-1]])
                return path[::-1]
            queue.append(other)
    return []


def _diagram(structure: LabelledStructure, radii: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray, list[int]]:
    """The cells of the weighted alpha complex in their order, and births, deaths and birth cells of its holes."""
    import homcloud.interface as hc

    sides = np.diag(structure.cell)
    wrapped = structure.positions - np.floor(structure.positions / sides) * sides
    weights = radii[structure.types] ** 2
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "diagram.pdgm")
        hc.PDList.from_alpha_filtration(
            np.column_stack([wrapped, weights]), weight=True, save_to=path, save_boundary_map=True,
            periodicity=[(0.0, float(side)) for side in sides],
        )  # fmt: skip
        diagram = hc.PDList(path).dth_diagram(1).pd
        pairs = [int(index) for index in diagram.birth_indices]
        cells = [tuple(simplex) for simplex in diagram.index_to_simplex]
        return cells, np.array(diagram.births), np.array(diagram.deaths), pairs
