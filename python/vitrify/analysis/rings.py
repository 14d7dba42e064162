"""Shortest-path rings of a covalent network (Franzblau, Phys. Rev. B 44, 4925, 1991), in a periodic cell.

A ring counts if no pair of its atoms is nearer in the network than along the ring. Every image of an atom is an atom
of its own, so a cell that is narrower than a ring gives the rings of the endless network, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from vitrify.core.errors import VitrifyError
from vitrify.core.pairs import find_pairs

_Node = tuple[int, int, int, int]  # an atom, and the cell that its image is in


def ring_counts(
    atoms: Atoms, former: str = "Si", bridge: str = "O", factor: float = 1.3, largest: int = 12
) -> np.ndarray:
    """The number of shortest-path rings in the cell by size: element n counts those with n atoms of the `former`.

    Bonds are between former and bridge, nearer than `factor` times the sum of their covalent radii; between atoms of
    the former if the structure has no bridge. Rings of more than `largest` formers are not looked for.
    Raises VitrifyError if the structure has no former.
    """
    symbols = np.array(atoms.symbols)
    if former not in symbols:
        raise VitrifyError(f"rings of {former} are asked for, but the structure has {', '.join(sorted(set(symbols)))}")
    bridged = bridge in symbols
    ends = (former, bridge if bridged else former)
    cutoff = factor * sum(covalent_radii[atomic_numbers[symbol]] for symbol in ends)
    network = _Network(_bonds(atoms, symbols, ends, cutoff), largest if bridged else largest // 2 + 1)
    counts = np.zeros(largest + 1)
    for root in np.flatnonzero(symbols == former):
        for length in network.rings(int(root)):
            size = length // 2 if bridged else length
            if size <= largest:
                counts[size] += 1.0 / size  # it is found once from each of its formers
    return np.rint(counts).astype(int)


def mean_ring_size(
    atoms: Atoms, former: str = "Si", bridge: str = "O", factor: float = 1.3, largest: int = 12
) -> float:
    """The mean number of atoms of the former in a ring; NaN if there is none; arguments as for `ring_counts`."""
    counts = ring_counts(atoms, former, bridge, factor, largest)
    return float(np.arange(len(counts)) @ counts / counts.sum()) if counts.any() else float("nan")


def _bonds(atoms: Atoms, symbols: np.ndarray, ends: tuple[str, str], cutoff: float) -> list[list[_Node]]:
    """The bonded atoms of each atom, as images."""
    i, j, shifts = find_pairs(atoms.positions, atoms.cell[:], cutoff, "ijS", full_list=True)
    first, second = symbols[i.astype(int)], symbols[j.astype(int)]
    bonded = ((first == ends[0]) & (second == ends[1])) | ((first == ends[1]) & (second == ends[0]))
    found: list[list[_Node]] = [[] for _ in symbols]
    for a, b, shift in zip(i[bonded].tolist(), j[bonded].tolist(), shifts[bonded].tolist(), strict=True):
        x, y, z = (int(s) for s in shift)
        found[int(a)].append((int(b), x, y, z))
    return found


class _Network:
    """The endless network of bonds, and distances in it as far as `reach` bonds."""

    def __init__(self, bonds: list[list[_Node]], reach: int) -> None:
        self.bonds, self.reach = bonds, reach
        self.distances: dict[int, dict[_Node, int]] = {}

    def around(self, root: int) -> dict[_Node, int]:
        """Bonds between the atom `root` of the cell 0 and every image as near as `reach`."""
        if root not in self.distances:
            found: dict[_Node, int] = {(root, 0, 0, 0): 0}
            shell = list(found)
            for distance in range(1, self.reach + 1):
                reached = {node for at in shell for node in self.neighbours(at)} - found.keys()
                shell = sorted(reached)
                found |= dict.fromkeys(shell, distance)
            self.distances[root] = found
        return self.distances[root]

    def neighbours(self, node: _Node) -> list[_Node]:
        atom, x, y, z = node
        return [(other, x + a, y + b, z + c) for other, a, b, c in self.bonds[atom]]

    def distance(self, one: _Node, other: _Node) -> int:
        """Bonds between two images; more than `reach` if they are further apart."""
        atom, x, y, z = one
        shifted = (other[0], other[1] - x, other[2] - y, other[3] - z)
        return self.around(atom).get(shifted, self.reach + 1)

    def rings(self, root: int) -> Iterator[int]:
        """The length of each shortest-path ring through the atom `root` of the cell 0."""
        levels = self.around(root)
        paths: dict[_Node, list[tuple[_Node, ...]]] = {(root, 0, 0, 0): [()]}
        for node, level in levels.items():  # in the order of their distance
            if level:
                before = [at for at in self.neighbours(node) if levels.get(at) == level - 1]
                paths[node] = [(*path, node) for at in before for path in paths[at]]
            yield from (2 * level for _ in self._closed(paths[node], paths[node], 0))
            if level < self.reach:
                for other in self.neighbours(node):
                    if other != node and other in paths and levels.get(other) == level:
                        yield from (2 * level + 1 for _ in self._closed(paths[node], paths[other], 1))

    def _closed(
        self, ones: list[tuple[_Node, ...]], others: list[tuple[_Node, ...]], odd: int
    ) -> Iterator[tuple[_Node, ...]]:
        """Pairs of shortest paths from the root that make a ring: to one node, or (odd) to two that are bonded."""
        for number, one in enumerate(ones):
            for other in others[number + 1 :] if not odd else others:
                half = len(one)
                shared = set(one[: half - 1 + odd]) & set(other[: half - 1 + odd])
                if half and not shared and self._is_shortest(one, other, odd):
                    yield one

    def _is_shortest(self, one: tuple[_Node, ...], other: tuple[_Node, ...], odd: int) -> bool:
        """Whether opposite atoms of the ring root, one..., reversed other... are nowhere nearer than along it."""
        half = len(one)
        ring = one + other[::-1] if odd else one + other[-2::-1]  # without the root, from which all paths are shortest
        gaps = (half, half + 1) if odd else (half,)
        return all(self.distance(ring[k], ring[k + gap]) == half for gap in gaps for k in range(len(ring) - gap))
