"""Tests of the paper's two findings against nulls: where important atoms are, and in how many cycles bonds are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vitrify.symgnn.explain.explainer import Explanation
from vitrify.symgnn.explain.nulls import Null, bins_of, judge, permutation_null, strata_of
from vitrify.symgnn.explain.settings import Settings
from vitrify.symgnn.explain.topology import Cycles

GROUPS = ("high", "medium", "low", "random")
NULLS = ("length", "length and species")
LEVEL = 0.01  # of significance: a p below it is no chance
_SHELLS = 60  # of distances, over all that a model sees


@dataclass(frozen=True)
class Excess:
    """The observed number minus the mean of a null, over the explained atoms: mean, standard error (NaN for one atom),
    and the number of atoms."""

    mean: float
    error: float
    atoms: int


@dataclass(frozen=True)
class NullTest:
    """An observed number, its nulls by the names of NULLS, and its excess over each of them."""

    observed: float
    nulls: dict[str, Null]
    excess: dict[str, Excess]

    def survives(self, null: str) -> bool:
        """Larger than a null with p < LEVEL and, over three atoms or more, by more than two standard errors.

        Bonds of one atom are near each other and so not independent, as a permutation takes them to be: p alone
        would find too much. Atoms drawn from a glass are far apart.
        """
        judged, excess = self.nulls[null], self.excess[null]
        beyond = self.observed > judged.mean and judged.p < LEVEL
        return beyond and (excess.atoms < 3 or excess.mean > 2 * excess.error)

    def as_dict(self) -> dict[str, Any]:
        """For metrics.json."""
        each = {
            name: {**asdict(self.nulls[name]), "excess": asdict(self.excess[name]), "survives": self.survives(name)}
            for name in NULLS
        }
        return {"observed": self.observed, "nulls": each}


@dataclass(frozen=True)
class Distances:
    """Where important atoms are. Densities over the shells `edges` (s + 1,), each summing to 1 over the shells.

    important: ends of the top bonds; everything: all atoms that the model sees; null (s,): ends of bonds of the same
    lengths, band (2, s): its 2.5 and 97.5 percentiles. medium: the share of important ends in the medium range.
    """

    edges: np.ndarray
    important: np.ndarray
    everything: np.ndarray
    null: np.ndarray
    band: np.ndarray
    medium: NullTest
    span: tuple[float, float]


@dataclass(frozen=True)
class CycleTable:
    """In how many optimal cycles bonds are.

    groups: the test of the mean number for each of GROUPS. counts: the number for each bond of a group. null_counts:
    the same for random bonds of the same lengths as those of the high group.
    """

    groups: dict[str, NullTest]
    counts: dict[str, np.ndarray]
    null_counts: np.ndarray


class Population:
    """All bonds of all explanations of one model in one table, with the strata within which importance is shuffled.

    owner (n,): the explanation of each bond. bonds (n, 2): atoms of the structure. ends (n, 2): their distances from
    the explained atom. strata (n,): by the names of NULLS. groups: indices (k,) of the bonds of each of GROUPS.
    """

    def __init__(
        self, explanations: Sequence[Explanation], types: np.ndarray, width: float, settings: Settings
    ) -> None:
        self.count = len(explanations)
        self.owner = np.repeat(np.arange(self.count), [len(each.scores) for each in explanations])
        self.bonds = np.concatenate([each.global_bonds for each in explanations])
        self.ends = np.concatenate([_end_distances(each) for each in explanations])
        lengths = np.concatenate([each.lengths for each in explanations])
        bins, kinds = bins_of(lengths, width), np.sort(types[self.bonds], axis=1)
        self.strata = {
            "length": strata_of(self.owner, bins),
            "length and species": strata_of(self.owner, bins, kinds[:, 0], kinds[:, 1]),
        }
        self.groups = _groups(explanations, settings)

    def means(self, values: np.ndarray, order: np.ndarray, group: str) -> np.ndarray:
        """Means (1 + explanations,) of values[order] over a group, NaN left out: of all, and of each.

        values (n,) or (n, m). order (n,): the bond that has the place of each, of the same explanation.
        """
        chosen = self.groups[group]
        mine = values[order[chosen]].reshape(len(chosen), -1)
        known = ~np.isnan(mine)
        total = np.bincount(self.owner[chosen], np.where(known, mine, 0.0).sum(1), self.count)
        number = np.bincount(self.owner[chosen], known.sum(1), self.count)
        each = np.divide(total, number, out=np.full(self.count, np.nan), where=number > 0)
        return np.concatenate([[total.sum() / max(number.sum(), 1)], each])

    def permuted(
        self, statistics: Callable[[np.ndarray], np.ndarray], settings: Settings, tick: Callable[[], object]
    ) -> dict[str, np.ndarray]:
        """The statistics (permutations, k) under each of NULLS. statistics: of an order (n,) of the bonds -> (k,)."""
        members = np.unique(np.concatenate(list(self.groups.values())))
        return {
            null: permutation_null(
                statistics, self.strata[null], members, settings.permutations,
                np.random.default_rng((settings.seed, number)), tick,
            )
            for number, null in enumerate(NULLS)
        }  # fmt: skip


def _end_distances(explanation: Explanation) -> np.ndarray:
    """(b, 2) distances of the ends of each bond from the centre; NaN for the centre, which explains nothing."""
    distances = explanation.distances
    distances[0] = np.nan
    return np.asarray(distances[explanation.bonds])


def _groups(explanations: Sequence[Explanation], settings: Settings) -> dict[str, np.ndarray]:
    """Indices of the bonds of each group: of each atom the top ones, the middle ones, the last, and random ones."""
    rng = np.random.default_rng(settings.seed)
    found: dict[str, list[np.ndarray]] = {group: [] for group in GROUPS}
    before = 0
    for each in explanations:
        bonds = len(each.scores)
        ranked = before + each.top(bonds)
        k = min(settings.top, bonds // 3)
        middle = (bonds - k) // 2
        found["high"].append(ranked[:k])
        found["medium"].append(ranked[middle : middle + k])
        found["low"].append(ranked[bonds - k :])
        found["random"].append(before + rng.choice(bonds, k, replace=False))
        before += bonds
    return {group: np.concatenate(indices) for group, indices in found.items()}


def run_null_tests(
    population: Population,
    explanations: Sequence[Explanation],
    cycles: Cycles | None,
    span: tuple[float, float],
    settings: Settings,
    tick: Callable[[], object] = lambda: None,
) -> tuple[Distances, CycleTable | None]:
    """The statistics of the paper's figure 5a, and of its tables 6 and 9 with figure 5b, beside their nulls.

    All statistics of a null come from one pass of permutations. cycles: None for no persistent homology, and then no
    table. span: the medium range, in units of length. tick: called len(NULLS) * settings.permutations times.
    """
    ends, high = population.ends, population.groups["high"]
    everything = np.concatenate([each.distances[1:] for each in explanations])
    edges = np.linspace(0.0, max(float(everything.max(initial=0.0)), span[1]) * (1 + 1e-9), _SHELLS + 1)
    inside = np.where(np.isnan(ends), np.nan, (ends >= span[0]) & (ends < span[1]))
    counts = cycles.of(population.bonds).astype(float) if cycles else None
    part = 1 + population.count

    def statistics(order: np.ndarray) -> np.ndarray:
        found = [_density(ends[order[high]], edges), population.means(inside, order, "high")]
        if counts is not None:
            found += [population.means(counts, order, group) for group in GROUPS]
        return np.concatenate(found)

    observed = statistics(np.arange(len(ends)))
    drawn = population.permuted(statistics, settings, tick)

    def test(number: int) -> NullTest:
        mine = slice(_SHELLS + number * part, _SHELLS + (number + 1) * part)
        return _null_test(observed[mine], {null: found[:, mine] for null, found in drawn.items()})

    distances = Distances(
        edges=edges,
        important=observed[:_SHELLS],
        everything=_density(everything, edges),
        null=drawn["length"][:, :_SHELLS].mean(0),
        band=np.percentile(drawn["length"][:, :_SHELLS], [2.5, 97.5], axis=0),
        medium=test(0),
        span=span,
    )
    if counts is None:
        return distances, None
    groups = {group: test(1 + number) for number, group in enumerate(GROUPS)}
    return distances, _cycle_table(population, counts, groups, settings)


def _cycle_table(
    population: Population, counts: np.ndarray, groups: dict[str, NullTest], settings: Settings
) -> CycleTable:
    """counts (n,): of the cycles of each bond."""
    rng, high = np.random.default_rng(settings.seed), population.groups["high"]
    few = permutation_null(lambda order: counts[order[high]], population.strata["length"], high, 20, rng)
    return CycleTable(
        groups=groups,
        counts={group: counts[indices] for group, indices in population.groups.items()},
        null_counts=few.reshape(-1),
    )


def _null_test(observed: np.ndarray, drawn: dict[str, np.ndarray]) -> NullTest:
    """observed (1 + n,): means over all bonds, and over those of each explanation; drawn: the same (P, 1 + n) under
    each null."""
    nulls = {null: judge(float(observed[0]), found[:, 0]) for null, found in drawn.items()}
    excess = {}
    for null, found in drawn.items():
        each = observed[1:] - found[:, 1:].mean(0)
        each = each[~np.isnan(each)]
        error = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else float("nan")
        excess[null] = Excess(float(each.mean()) if len(each) else float("nan"), error, len(each))
    return NullTest(float(observed[0]), nulls, excess)


def _density(distances: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Shares (s,) of the distances in each shell, NaN left out."""
    counts = np.histogram(distances[~np.isnan(distances)], edges)[0]
    return np.asarray(counts / max(counts.sum(), 1))


def verdict(found: NullTest) -> str:
    """A sentence: whether the observed number survives the nulls, and the numbers that show it."""
    lengths, both = NULLS
    text = f"{found.observed:.3g}, bonds of the same lengths {_against(found, lengths)}: "
    if not found.survives(lengths):
        fewer = found.observed < found.nulls[lengths].mean and found.nulls[lengths].p < LEVEL
        return f"DOES NOT SURVIVE the length-matched null. {text}{'less' if fewer else 'no more'} than lengths give."
    if found.survives(both):
        return (
            f"SURVIVES the length-matched null. {text}more than lengths give, and more than lengths and species of the "
            f"atoms give, {_against(found, both)}."
        )
    return (
        f"SURVIVES the length-matched null, but NOT when species are matched too. {text}more than lengths give, but no "
        f"more than bonds of the same lengths and species, {_against(found, both)}."
    )


def _against(found: NullTest, null: str) -> str:
    judged, excess = found.nulls[null], found.excess[null]
    over = f"; over {excess.atoms} atoms {excess.mean:+.2g} ± {excess.error:.1g}" if excess.atoms > 1 else ""
    return f"{judged.mean:.3g} ± {judged.std:.2g} (z = {judged.z:.2g}, p = {judged.p:.2g}{over})"
