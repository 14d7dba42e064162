"""Structure of many samples, whose cells, sizes and compositions may differ: distributions of each, and their means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms

from vitrify.analysis.angles import angle_counts
from vitrify.analysis.structure import first_structure_peak, partial_rdf, structure_factor
from vitrify.core.errors import VitrifyError
from vitrify.core.pairs import find_pairs
from vitrify.core.units import GRAMS

TOTAL = "total"
_BY_SHELL = 0.2  # 1/A: bins of S(k) that all samples share


@dataclass(frozen=True)
class Curves:
    """Distributions of S samples: x (bins,), and by name (S, bins), NaN where a sample has none of a kind.

    Names are "total", and of kinds "Si-O" (pairs) or "O-Si-O" (angles, the centre in the middle).
    """

    x: np.ndarray
    of: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.of[TOTAL])

    def mean(self, name: str = TOTAL) -> np.ndarray:
        """The mean (bins,) over the samples that have such atoms; zero if none has."""
        values = self.of[name]
        have = np.isfinite(values)
        count = have.sum(0)
        total = np.where(have, values, 0.0).sum(0)
        mean: np.ndarray = np.divide(total, count, out=np.zeros(values.shape[1]), where=count > 0)
        return mean

    def take(self, samples: np.ndarray | Sequence[int]) -> Curves:
        """The distributions of some samples only."""
        return Curves(self.x, {name: values[np.asarray(samples, int)] for name, values in self.of.items()})


def species_in(samples: Iterable[Atoms]) -> tuple[str, ...]:
    """The elements of all samples, in alphabetical order."""
    return tuple(sorted({symbol for atoms in samples for symbol in atoms.symbols}))


def _types(atoms: Atoms, species: Sequence[str]) -> np.ndarray:
    """(N,) types from 0; VitrifyError for an element that `species` lacks."""
    numbers = {symbol: number for number, symbol in enumerate(species)}
    try:
        return np.array([numbers[symbol] for symbol in atoms.symbols], dtype=int)
    except KeyError as missing:
        raise VitrifyError(f"a sample has {missing.args[0]}, but only {', '.join(species)} are looked at") from None


def _pair_names(species: Sequence[str]) -> dict[tuple[int, int], str]:
    pairs = combinations_with_replacement(range(len(species)), 2)
    return {(a, b): f"{species[a]}-{species[b]}" for a, b in pairs}


def rdf(samples: Sequence[Atoms], species: Sequence[str] | None = None, r_max: float = 5.0, bins: int = 100) -> Curves:
    """g(r) of each sample, of all its atoms and of each pair of species, up to r_max (A)."""
    _some(samples)
    names = _pair_names(species := tuple(species or species_in(samples)))
    rows: dict[str, list[np.ndarray]] = {name: [] for name in (TOTAL, *names.values())}
    x = np.zeros(0)
    for atoms in samples:
        types = _types(atoms, species)
        found = partial_rdf(atoms.positions[None], atoms.cell[:], types, len(species), r_max, bins)
        x, count = found.r, np.bincount(types, minlength=len(species))
        total = np.zeros(bins)
        for (a, b), g in found.g.items():
            pairs = count[a] * (count[b] - 1) if a == b else 2 * count[a] * count[b]
            total += g * pairs / max(1, len(atoms) * (len(atoms) - 1))
            rows[names[a, b]].append(g if pairs else np.full(bins, np.nan))
        rows[TOTAL].append(total)
    return Curves(x, {name: np.array(values) for name, values in rows.items()})


def adf(samples: Sequence[Atoms], species: Sequence[str] | None = None, cutoff: float = 3.0, bins: int = 180) -> Curves:
    """Density of angles (1/degree) of each sample, of all neighbours within `cutoff` (A) and of each kind of triplet.

    Each density integrates to 1: a sample counts as much as any other, whatever the number of its angles.
    """
    _some(samples)
    species = tuple(species or species_in(samples))
    width = 180.0 / bins
    rows: list[dict[str, np.ndarray]] = []
    for atoms in samples:
        found = angle_counts(atoms.positions, atoms.cell[:], _types(atoms, species), len(species), cutoff, bins)
        counts = {f"{species[a]}-{species[c]}-{species[b]}": n for (c, a, b), n in found.items()}
        counts[TOTAL] = np.sum(list(found.values()), axis=0)
        rows.append({name: n / (n.sum() * width) if n.sum() else np.full(bins, np.nan) for name, n in counts.items()})
    return Curves((np.arange(bins) + 0.5) * width, {name: np.array([row[name] for row in rows]) for name in rows[0]})


def rmsd(curves: Curves, reference: Curves) -> dict[str, float]:
    """Root mean square over bins of the difference of mean distributions, by name."""
    if not np.array_equal(curves.x, reference.x) or curves.of.keys() != reference.of.keys():
        raise VitrifyError("the distributions differ in bins or species: compute both with the same settings")
    return {name: float(np.sqrt(np.mean((curves.mean(name) - reference.mean(name)) ** 2))) for name in reference.of}


def disjoint(groups: Sequence[int], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of two random parts: `count` samples, or half of all if that is less, and those of other groups.

    Frames of one simulation resemble each other, so that they share a group and stay on one side. The second part is
    empty if there is one group only.
    """
    marks = np.asarray(groups)
    order = np.random.default_rng(seed).permutation(np.unique(marks))
    sizes = np.cumsum([np.sum(marks == group) for group in order])
    wanted = min(count, len(marks) // 2)
    inside = np.isin(marks, order[: int(np.searchsorted(sizes, wanted)) + 1])
    return np.flatnonzero(inside)[:wanted], np.flatnonzero(~inside)


def floor_rmsd(curves: Curves, count: int, groups: Sequence[int] | None = None, repeats: int = 10) -> float:
    """RMSD of the total of `count` samples from the others of the same ensemble, see `disjoint`; root mean square.

    What a perfect generator would reach with as many samples. NaN if all are of one group.
    """
    marks = list(range(len(curves))) if groups is None else groups
    parts = [disjoint(marks, count, seed) for seed in range(repeats)]
    if not all(len(other) for _, other in parts):
        return float("nan")
    found = [rmsd(curves.take(one), curves.take(other))[TOTAL] for one, other in parts]
    return float(np.sqrt(np.mean(np.square(found))))


def _some(samples: Sequence[Atoms]) -> None:
    if not len(samples):
        raise VitrifyError("there are no samples: give at least one structure")


def first_minima(curves: Curves, fallback: float = 3.0) -> dict[str, float]:
    """Where the mean g(r) of each pair is lowest behind its first peak (A); `fallback` where it does not rise again.

    The first peak is at least half as high as the highest. The distributions must reach beyond that minimum.
    """
    found = {}
    for name in sorted(curves.of.keys() - {TOTAL}):
        g = np.convolve(np.pad(curves.mean(name), 2, mode="edge"), np.ones(5) / 5, "valid")
        top = int(np.searchsorted(curves.x, first_structure_peak(curves.x, g)))
        behind = g[top:]
        rising = np.flatnonzero((np.diff(behind) > 0) & (behind[:-1] < 0.6 * g[top]))
        valley = np.flatnonzero(behind[: rising[0] + 1] <= behind[rising[0]]) if len(rising) else rising
        found[name] = float(curves.x[top + int(np.mean(valley))]) if len(rising) else fallback
    return found


def closest_pairs(samples: Sequence[Atoms], species: Sequence[str], r_max: float = 3.5) -> dict[str, float]:
    """The smallest distance (A) of each pair of species in all samples; infinity if none is below r_max."""
    names = _pair_names(species)
    found = dict.fromkeys(names.values(), np.inf)
    for atoms in samples:
        pair, distance = _pairs(atoms, species, r_max)
        for a, b in names:
            mine = distance[pair == a * len(species) + b]
            if len(mine):
                found[names[a, b]] = min(found[names[a, b]], float(mine.min()))
    return found


def short_pairs(samples: Sequence[Atoms], species: Sequence[str], least: Mapping[str, float]) -> dict[str, float]:
    """Pairs closer than `least` (A, by name), over all atoms, and the share of samples that have one."""
    names = _pair_names(species)
    limits = np.zeros(len(species) ** 2)
    for (a, b), name in names.items():
        limits[a * len(species) + b] = least[name] if np.isfinite(least[name]) else 0.0
    if not limits.max() > 0:
        return {"per_atom": 0.0, "samples": 0.0}
    bad = []
    for atoms in samples:
        pair, distance = _pairs(atoms, species, float(limits.max()))
        bad.append(int((distance < limits[pair] * (1 - 1e-9)).sum()))
    atoms_in_all = sum(map(len, samples))
    return {"per_atom": sum(bad) / atoms_in_all, "samples": float(np.mean(np.array(bad) > 0))}


def _pairs(atoms: Atoms, species: Sequence[str], cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Each pair within `cutoff` once: the number a n + b of its types a <= b, and its distance."""
    types = _types(atoms, species)
    i, j, distance = find_pairs(atoms.positions, atoms.cell[:], cutoff, "ijd")
    low, high = np.sort([types[i.astype(int)], types[j.astype(int)]], axis=0)
    return low * len(species) + high, distance


def coordination(
    samples: Sequence[Atoms], species: Sequence[str], cutoffs: Mapping[str, float], most: int = 16
) -> dict[str, np.ndarray]:
    """How many atoms have 0, 1, ... `most` neighbours within the cutoff of the pair (A): shares (most + 1,).

    By centre and neighbour: "Si-O" is O around Si. The last entry holds all that have `most` or more.
    """
    names, n = _pair_names(species), len(species)
    limits = np.zeros((n, n))
    for (a, b), name in names.items():
        limits[a, b] = limits[b, a] = cutoffs[name]
    counts = np.zeros((n, n, most + 1))
    for atoms in samples:
        types = _types(atoms, species)
        i, j, distance = find_pairs(atoms.positions, atoms.cell[:], float(limits.max()), "ijd", full_list=True)
        i, j = i.astype(int), j.astype(int)
        near = distance < limits[types[i], types[j]]
        numbers = np.bincount(i[near] * n + types[j[near]], minlength=n * len(atoms)).reshape(-1, n)
        for a in range(n):
            for b in range(n):
                counts[a, b] += np.bincount(np.minimum(numbers[types == a, b], most), minlength=most + 1)
    return {
        f"{species[a]}-{species[b]}": counts[a, b] / max(1.0, counts[a, b].sum()) for a in range(n) for b in range(n)
    }


def mean_coordination(shares: np.ndarray) -> float:
    """The mean number of neighbours, from shares (most + 1,) of atoms with 0, 1, ... neighbours."""
    return float(shares @ np.arange(len(shares)))


def mass_densities(samples: Sequence[Atoms]) -> np.ndarray:
    """(S,) densities in g/cm^3."""
    return np.array([GRAMS * atoms.get_masses().sum() / volume(atoms) for atoms in samples])


def volume(atoms: Atoms) -> float:
    """The volume of the cell."""
    return abs(float(np.linalg.det(atoms.cell[:])))


def structure_factors(samples: Sequence[Atoms], k_max: float = 5.0) -> Curves:
    """S(k) of all atoms of each sample, in bins of 0.2 / A up to k_max; NaN where no wave vector fits its cell."""
    _some(samples)
    edges = np.arange(0.0, k_max + 1e-9, _BY_SHELL)
    rows = []
    for number, atoms in enumerate(samples):
        k, s = structure_factor(atoms.positions[None], atoms.cell[:], k_max, seed=number)
        place = np.clip(np.digitize(k, edges) - 1, 0, len(edges) - 2)
        count = np.bincount(place, minlength=len(edges) - 1)
        total = np.bincount(place, weights=s, minlength=len(edges) - 1)
        rows.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return Curves((edges[1:] + edges[:-1]) / 2, {TOTAL: np.array(rows)})


def low_q_limit(factors: Curves) -> float:
    """Half of the position (1/A) of the first peak of the mean S(k)."""
    return 0.5 * first_structure_peak(factors.x, factors.mean())


def low_q(samples: Sequence[Atoms], limit: float) -> np.ndarray:
    """(S,) means of S(k) over the shells of wave vectors below `limit` (1/A): large where there are voids.

    NaN for a cell that is too small for such a wave vector.
    """
    found = []
    for atoms in samples:
        smallest = 2 * np.pi * np.linalg.norm(np.linalg.inv(atoms.cell[:]), axis=0).min()
        fits = smallest <= limit
        found.append(structure_factor(atoms.positions[None], atoms.cell[:], limit)[1].mean() if fits else np.nan)
    return np.array(found, dtype=float)
