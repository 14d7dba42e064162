"""Static structure: partial radial distribution functions, the structure factor, and their peaks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.core.pairs import find_pairs


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
    types, cell = np.asarray(types), np.asarray(cell, float)
    half = np.zeros((n_types, n_types, bins))
    for positions in frames:
        i, j, distance = find_pairs(positions, cell, r_max, "ijd")
        shell = np.minimum((distance * (bins / r_max)).astype(int), bins - 1)
        flat = (types[i.astype(int)] * n_types + types[j.astype(int)]) * bins + shell
        half += np.bincount(flat, minlength=half.size).reshape(half.shape)
    pairs = half + half.transpose(1, 0, 2)

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


def structure_factor(
    frames: np.ndarray, cell: np.ndarray, k_max: float, per_bin: int = 24, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """S(k) = <|sum_i exp(i k.r_i)|^2> / N of all atoms, averaged over frames and over directions of k.

    frames: (T,N,3) positions, wrapped or not; cell: (3,3) rows. Only wave vectors that fit the cell are used, in
    bins as wide as the smallest of them, at most `per_bin` of each, drawn with `seed`. Returns k (K,) and S (K,).
    """
    frames, cell = np.asarray(frames, float), np.asarray(cell, float)
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T
    most = np.floor(k_max * np.linalg.norm(cell, axis=1) / (2 * np.pi)).astype(int)
    vectors = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), -1).reshape(-1, 3)
    vectors = vectors[len(vectors) // 2 + 1 :] @ reciprocal  # half of them: S(-k) = S(k)
    lengths = np.linalg.norm(vectors, axis=1)
    inside = lengths <= k_max
    if not inside.any():
        raise VitrifyError(f"no wave vector below k_max {k_max:g} fits the cell {cell.tolist()}: take a larger k_max")
    vectors, lengths = vectors[inside], lengths[inside]
    order = np.random.default_rng(seed).permutation(len(vectors))
    bins = (lengths[order] / lengths.min() + 1e-9).astype(int)
    chosen = np.concatenate([order[bins == b][:per_bin] for b in np.unique(bins)])
    vectors, lengths = vectors[chosen], lengths[chosen]
    power = np.zeros(len(vectors))
    for positions in frames:
        power += np.abs(np.exp(1j * (positions @ vectors.T)).sum(axis=0)) ** 2
    power /= len(frames) * frames.shape[1]
    bins = (lengths / lengths.min() + 1e-9).astype(int)
    count = np.bincount(bins)
    filled = count > 0
    means = [np.bincount(bins, weights=values)[filled] / count[filled] for values in (lengths, power)]
    return means[0], means[1]


def first_structure_peak(k: np.ndarray, s: np.ndarray) -> float:
    """k of the first maximum of S(k) that is at least half as high as the highest."""
    for i in range(len(s)):
        left, right = s[max(0, i - 1)], s[min(len(s) - 1, i + 1)]
        if s[i] >= 0.5 * s.max() and s[i] >= left and s[i] >= right:
            return float(k[i])
    raise VitrifyError("S(k) has no maximum: give at least one value")


def coordination_number(rdf: RDF, pair: tuple[int, int], density: float, r_cut: float) -> float:
    """Neighbours of species pair[1], of number density `density`, within r_cut of an atom of species pair[0].

    n = 4 pi rho_b int_0^r_cut g_ab r^2 dr; a <= b in `rdf`, either order here.
    """
    a, b = sorted(pair)
    inside = rdf.r < r_cut
    return float(4 * np.pi * density * np.sum(rdf.g[a, b][inside] * rdf.r[inside] ** 2) * (rdf.r[1] - rdf.r[0]))


def soft_rdf(
    types: np.ndarray, pairs: np.ndarray, distances: np.ndarray, volume: float, n_species: int,
    start: float, stop: float, bins: int,
) -> np.ndarray:  # fmt: skip
    """Partial g(r) of one frame (P, bins), pairs a >= b at a (a + 1) / 2 + b, in bins that are cubic B-splines.

    types (N,); pairs (2, E): every directed pair within `stop`, of all periodic images; distances (E,); volume of the
    cell. Smooth in the distances; bin k is centred at `soft_bins(start, stop, bins)[k]`; g is 0 for pairs without
    atoms.
    """
    width = (stop - start) / bins
    t = np.clip((distances - start) / width, 0.0, bins)
    first = np.minimum(t.astype(int), bins - 1)
    t = t - first
    s = 1.0 - t
    splines = np.stack([s**3, 4 + t * t * (3 * t - 6), 4 + s * s * (3 * s - 6), t**3]) / 6
    a, b = np.maximum(types[pairs[0]], types[pairs[1]]), np.minimum(types[pairs[0]], types[pairs[1]])
    kinds = n_species * (n_species + 1) // 2
    rows = (a * (a + 1) // 2 + b) * (bins + 3) + first
    sums = np.zeros(kinds * (bins + 3))
    for k in range(4):
        sums += np.bincount(rows + k, splines[k], len(sums))
    count = np.bincount(types, minlength=n_species)
    r = soft_bins(start, stop, bins)
    shells = 4 * np.pi * width * (r**2 + width**2 / 3)
    g = sums.reshape(kinds, bins + 3)[:, :bins]
    for high in range(n_species):
        for low in range(high + 1):
            directed = count[high] * (count[high] - 1) if high == low else 2 * count[high] * count[low]
            g[high * (high + 1) // 2 + low] /= max(1, directed) / volume * shells
    return g


def soft_bins(start: float, stop: float, bins: int) -> np.ndarray:
    """Where the bins of `soft_rdf` have their centres (bins,)."""
    width = (stop - start) / bins
    centres: np.ndarray = start + width * (np.arange(bins) - 1)
    return centres
