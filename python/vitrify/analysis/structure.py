"""Static structure: partial radial distribution functions and what is read from them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from matscipy.neighbours import neighbour_list

from vitrify.errors import VitrifyError


@dataclass(frozen=True)
class RDF:
    """Partial radial distribution functions: r (bins,) the centres of bins, g[(a, b)] (bins,) for a <= b."""

    r: np.ndarray
    g: dict[tuple[int, int], np.ndarray]


def partial_rdf(frames: np.ndarray, cell: np.ndarray, types: np.ndarray, n_types: int, r_max: float, bins: int) -> RDF:
    """Partial g(r) of atoms in a periodic cell of any shape, averaged over frames.

    g_ab(r) = V / (N_a N_b) <number of pairs in the shell> / (volume of the shell), with N_b - 1 for N_b if a
    = b, so that an ideal gas has g = 1 for any N.

    frames: (T,N,3) positions, wrapped or not; cell: (3,3) rows are vectors; types: (N,) from 0; r_max may
    exceed half the cell, for every image is counted. Pairs of which there are none have g = 0.
    """
    frames = np.asarray(frames, float)
    if frames.ndim != 3 or frames.shape[1:] != (len(types), 3):
        raise VitrifyError(f"frames have shape {frames.shape}, but must be (T, {len(types)}, 3), N as in types")
    if r_max <= 0 or bins < 1:
        raise VitrifyError(f"r_max {r_max:g} and bins {bins} must be positive")
    pairs = np.zeros((n_types, n_types, bins))
    for positions in frames:
        i, j, distance = neighbour_list("ijd", positions=positions, cell=cell, pbc=(True,) * 3, cutoff=r_max)
        shell = np.minimum((distance * (bins / r_max)).astype(int), bins - 1)
        flat = (types[i] * n_types + types[j]) * bins + shell
        pairs += np.bincount(flat, minlength=pairs.size).reshape(pairs.shape)

    edges = np.linspace(0.0, r_max, bins + 1)
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    counts = np.bincount(types, minlength=n_types)
    volume = abs(np.linalg.det(cell))
    g = {}
    for a, b in combinations_with_replacement(range(n_types), 2):
        ideal = len(frames) * counts[a] * (counts[b] - (a == b)) / volume * shells
        g[a, b] = np.divide(pairs[a, b], ideal, out=np.zeros(bins), where=ideal > 0)
    return RDF((edges[1:] + edges[:-1]) / 2, g)


def rdf_difference(a: RDF, b: RDF) -> dict[tuple[int, int], float]:
    """Relative L2 distance ||g_a - g_b|| / ||g_b|| of each partial g(r) of `a` from that of the reference."""
    if not np.array_equal(a.r, b.r) or a.g.keys() != b.g.keys():
        raise VitrifyError("the two g(r) differ in bins or pairs: compute both with the same r_max, bins and n_types")
    return {
        pair: float(np.linalg.norm(a.g[pair] - reference) / max(float(np.linalg.norm(reference)), 1e-300))
        for pair, reference in b.g.items()
    }


def first_peak(r: np.ndarray, g: np.ndarray) -> tuple[float, float]:
    """Position and height of the highest maximum of g(r), from the parabola through its three points."""
    top = int(np.argmax(g))
    if not 0 < top < len(g) - 1:
        raise VitrifyError("g(r) has no maximum inside its range: take a larger r_max")
    left, middle, right = g[top - 1 : top + 2]
    offset = 0.5 * (left - right) / (left - 2 * middle + right)
    return float(r[top] + offset * (r[1] - r[0])), float(middle - 0.25 * (left - right) * offset)


def coordination_number(rdf: RDF, pair: tuple[int, int], density: float, r_cut: float) -> float:
    """Neighbours of species pair[1], of number density `density`, within r_cut of an atom of species pair[0].

    n = 4 pi rho_b int_0^r_cut g_ab r^2 dr; a <= b in `rdf`, either order here.
    """
    a, b = sorted(pair)
    inside = rdf.r < r_cut
    return float(4 * np.pi * density * np.sum(rdf.g[a, b][inside] * rdf.r[inside] ** 2) * (rdf.r[1] - rdf.r[0]))
