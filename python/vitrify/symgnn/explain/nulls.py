"""Permutation nulls: statistics of importance that depends on strata of bonds (lengths, species) alone.

Long bonds are many and short ones are in many cycles, so any preference for some lengths seems to show something. The
importance is shuffled within each stratum of similar bonds; the statistics that remain are due to the strata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from vitrify.core.errors import VitrifyError


@dataclass(frozen=True)
class Null:
    """An observed number beside its null: mean and std of the null, z = (observed - mean) / std, two-sided p.

    p = (1 + number of permutations at least as far from the null's mean) / (1 + permutations), so it is never 0.
    """

    observed: float
    mean: float
    std: float
    z: float
    p: float


def strata_of(*labels: np.ndarray) -> np.ndarray:
    """The stratum (n,) of each entry: one for each combination of the labels (n,) that occurs."""
    _, strata = np.unique(np.column_stack(labels), axis=0, return_inverse=True)
    return np.asarray(strata).reshape(-1)


def bins_of(lengths: np.ndarray, width: float) -> np.ndarray:
    """The bin (n,) of each length."""
    return np.floor(np.asarray(lengths) / width).astype(np.int64)


def shuffles(strata: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """`count` random permutations (n,) of the entries, each within its stratum."""
    slots = np.argsort(strata, kind="stable")
    for _ in range(count):
        shuffled = np.empty_like(slots)
        # One sort: the stratum before the point, chance behind it (0.999, so that rounding cannot carry).
        shuffled[slots] = np.argsort(strata + 0.999 * rng.random(len(strata)))
        yield shuffled


def judge(observed: float, drawn: np.ndarray) -> Null:
    """Compares the observed number with the numbers (P,) drawn under the null."""
    drawn = np.asarray(drawn, float)
    if drawn.size == 0:
        raise VitrifyError("a null needs at least one permutation")
    mean, std = float(drawn.mean()), float(drawn.std())
    # Rounding must not make equal numbers differ.
    slack = 1e-9 * (1.0 + abs(mean))
    as_far = int((np.abs(drawn - mean) >= abs(observed - mean) - slack).sum())
    z = (observed - mean) / std if std > slack else 0.0
    return Null(observed, mean, std, z, (1 + as_far) / (1 + drawn.size))


def permutation_null(
    statistic: Callable[[np.ndarray], np.ndarray],
    strata: np.ndarray,
    members: np.ndarray,
    count: int,
    rng: np.random.Generator,
    tick: Callable[[], object] = lambda: None,
) -> np.ndarray:
    """The statistics (P, k) of `count` permutations.

    statistic: takes the order (n,) of the entries and gives (k,), of which it may read the entries `members` alone.
    members: all different.
    """
    sizes = np.bincount(strata)
    mine = np.bincount(strata[members], minlength=len(sizes))
    # Few members of a stratum are drawn one by one; where they are many, all of its entries are shuffled.
    crowded = 2 * mine > sizes
    few = members[~crowded[strata[members]]]
    rest = np.flatnonzero(crowded[strata])
    slots = np.argsort(strata, kind="stable")
    first = (np.cumsum(sizes) - sizes)[strata[few]]
    order, taken = np.arange(len(strata)), np.zeros(len(strata), bool)
    drawn = []
    for shuffled in shuffles(strata[rest], count, rng):
        order[rest] = rest[shuffled]
        order[few] = slots[_different(first, sizes[strata[few]], taken, rng)]
        drawn.append(statistic(order))
        tick()
    return np.array(drawn)


def _different(first: np.ndarray, sizes: np.ndarray, taken: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each of k entries a random number from its range first .. first + sizes, no two the same.

    Numbers that are taken are drawn again. No number of a range is treated unlike another, so that all choices are
    equally likely. taken: all False, and so again at the end; its length is that of all ranges.
    """
    chosen, waiting = np.empty_like(first), np.arange(len(first))
    while len(waiting):
        numbers = first[waiting] + (rng.random(len(waiting)) * sizes[waiting]).astype(np.int64)
        good = np.zeros(len(waiting), bool)
        good[np.unique(numbers, return_index=True)[1]] = True
        good &= ~taken[numbers]
        chosen[waiting[good]] = numbers[good]
        taken[numbers[good]] = True
        waiting = waiting[~good]
    taken[chosen] = False
    return chosen


def matched_sample(chosen: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random set of entries, as indices, with as many of each stratum as `chosen` (k,) has."""
    order = next(shuffles(strata, 1, rng))
    return np.asarray(order[chosen])
