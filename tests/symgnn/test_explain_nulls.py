"""The nulls: they tell a finding of an explanation from what lengths and species alone make of it."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from vitrify.symgnn.explain.explainer import Explanation
from vitrify.symgnn.explain.null_tests import Population, run_null_tests, verdict
from vitrify.symgnn.explain.nulls import bins_of, judge, matched_sample, permutation_null, shuffles, strata_of
from vitrify.symgnn.explain.settings import Settings
from vitrify.symgnn.explain.topology import Cycles


@pytest.mark.parametrize("many", [60, 300])
def test_a_permutation_null_has_the_moments_of_drawing_without_replacement(many: int) -> None:
    rng = np.random.default_rng(0)
    strata, values = rng.integers(0, 5, 400), rng.normal(size=400)
    values += strata
    members = rng.choice(400, many, replace=False)
    # One stratum that is nearly full of members beside others that are not.
    members = np.unique(np.concatenate([members, np.flatnonzero(strata == 4)[1:]]))
    seen = []

    def total(order: np.ndarray) -> np.ndarray:
        mine = order[members]
        assert len(set(mine)) == len(members) and (strata[mine] == strata[members]).all()
        seen.append(mine[0])
        return np.array([values[mine].sum()])

    drawn = permutation_null(total, strata, members, 4000, rng)[:, 0]
    mean = variance = 0.0
    for s in range(5):
        mine, n = values[strata == s], int((strata[members] == s).sum())
        mean += n * mine.mean()
        variance += n * mine.var() * (len(mine) - n) / (len(mine) - 1)
    assert drawn.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 4000))
    assert drawn.std() == pytest.approx(np.sqrt(variance), rel=0.06)
    # Each entry of a stratum is as likely as any other.
    alike = np.flatnonzero(strata == strata[members[0]])
    counts = np.bincount(seen, minlength=400)[alike]
    assert ((counts - 4000 / len(alike)) ** 2).sum() / (4000 / len(alike)) < 2 * len(alike)


def test_shuffles_stay_within_their_stratum() -> None:
    strata = strata_of(np.repeat([4, 7, 1], [5, 1, 8]), np.zeros(14))
    orders = list(shuffles(strata, 50, np.random.default_rng(0)))
    assert all((strata[order] == strata).all() and sorted(order) == list(range(14)) for order in orders)
    assert len({tuple(order) for order in orders}) > 40
    chosen = np.array([0, 1, 5, 9])
    sample = matched_sample(chosen, strata, np.random.default_rng(1))
    assert len(set(sample)) == 4 and sorted(strata[sample]) == sorted(strata[chosen])
    assert bins_of(np.array([0.0, 0.099, 0.1, 0.25]), 0.1).tolist() == [0, 0, 1, 2]


def test_p_values_are_those_of_chance() -> None:
    """Uniform where there is nothing to find; never zero; one half of the permutations are as far as the median."""
    rng = np.random.default_rng(3)
    p = [judge(float(rng.normal()), rng.normal(size=200)).p for _ in range(400)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.09 and abs(np.mean(p) - 0.5) < 0.05
    null = judge(100.0, rng.normal(size=99))
    assert null.p == 0.01 and null.z > 50
    assert judge(2.0, np.full(10, 2.0)).p == 1.0 and judge(2.0, np.full(10, 2.0)).z == 0


def planted_explanations(cause: str, seed: int = 0, count: int = 6) -> tuple[list[Explanation], np.ndarray, Cycles]:
    """Explanations of a made-up network whose scores follow length, or cycles beyond length, or species.

    Short bonds are in more cycles, as in a glass, and bonds of species 1 in more than their lengths say.
    """
    rng = np.random.default_rng(seed)
    n = 400
    positions = rng.uniform(-12.0, 12.0, (n, 3))
    types = rng.integers(0, 2, n)
    pairs = np.array([pair for pair in itertools.combinations(range(n), 2)
                      if np.linalg.norm(positions[pair[0]] - positions[pair[1]]) < 5.0])  # fmt: skip
    vectors = positions[pairs[:, 1]] - positions[pairs[:, 0]]
    length = np.linalg.norm(vectors, axis=1)
    both = types[pairs].sum(1)
    extra = rng.poisson(1.0, len(pairs))
    counts = rng.poisson(np.clip(5.0 - length, 0.1, None)) + extra + 2 * both
    by_cause = {"length": -length, "cycles": 0.5 * extra - length, "species": both - length}
    found = []
    for centre in range(count):
        atoms = np.arange(n)
        atoms[[0, centre]] = atoms[[centre, 0]]
        local = np.argsort(atoms)
        strength = by_cause[cause] + 0.3 * rng.normal(size=len(pairs))
        found.append(
            Explanation(
                centre, 1.0, 0.1, 1.0, 1.0, 1.0, np.zeros(2), atoms, np.ones(n, int),
                (positions - positions[centre])[atoms], local[pairs], vectors, 1 / (1 + np.exp(-strength)),
            )
        )  # fmt: skip
    births = np.zeros(int(counts.sum()))
    return found, types, Cycles(pairs, counts, births, births, births, np.ones(2))


@pytest.mark.parametrize(
    ("cause", "by_length", "by_both"), [("length", False, False), ("cycles", True, True), ("species", True, False)]
)
def test_the_null_tells_what_is_due_to_length_and_species(cause: str, by_length: bool, by_both: bool) -> None:
    settings = Settings(top=50, permutations=200)
    found, types, cycles = planted_explanations(cause)
    population = Population(found, types, 0.1, settings)
    distances, table = run_null_tests(population, found, cycles, (5.0, 10.0), settings)
    assert table is not None
    high, low = table.groups["high"], table.groups["low"]
    # As in the paper's table 6, before the null: importance seems to go with cycles, whatever its cause.
    assert high.observed > 1.5 * low.observed
    assert high.survives("length") is by_length and high.survives("length and species") is by_both
    assert not table.groups["random"].survives("length")
    text = verdict(high)
    assert text.startswith("SURVIVES" if by_length else "DOES NOT SURVIVE") and ("but NOT" in text) is (
        by_length and not by_both
    )
    # Scores know nothing of the distance from the centre, though most ends are in the medium range.
    assert not distances.medium.survives("length") and distances.medium.observed > 0.1
    assert distances.important.sum() == pytest.approx(1) and distances.null.sum() == pytest.approx(1)
    inside = (distances.band[0] - 1e-12 <= distances.important) & (distances.important <= distances.band[1] + 1e-12)
    assert inside.mean() > 0.85


def test_p_is_uniform_where_importance_follows_length_alone() -> None:
    """Cycles get fewer with length, so bins must be narrow: with wide ones, length seems to be more than itself."""
    found, types, cycles = planted_explanations("length", count=1)
    rng = np.random.default_rng(2)
    settings = Settings(top=50, permutations=49)
    p: dict[float, list[float]] = {0.02: [], 0.5: []}
    for _ in range(30):
        scores = -found[0].lengths + rng.normal(scale=0.1, size=len(found[0].scores))
        falls = dataclasses.replace(found[0], scores=scores)
        # In as many cycles as its length says.
        counts = rng.poisson(20.0 * np.exp(-found[0].lengths))
        drawn = dataclasses.replace(cycles, counts=counts)
        for width, seen in p.items():
            population = Population([falls], types, width, settings)
            _, table = run_null_tests(population, [falls], drawn, (5.0, 10.0), settings)
            assert table is not None
            seen.append(table.groups["high"].nulls["length"].p)
    narrow, wide = (np.array(seen) for seen in p.values())
    assert np.mean(narrow < 0.1) < 0.25 and abs(narrow.mean() - 0.5) < 0.15
    assert np.mean(wide < 0.1) > 0.3


def test_important_atoms_of_the_medium_range_are_found() -> None:
    settings = Settings(top=40, permutations=200)
    found, types, _ = planted_explanations("length")
    moved = []
    for each in found:
        middle = np.linalg.norm(each.displacements[each.bonds].mean(1), axis=1)
        scores = np.where((middle > 6) & (middle < 9), 0.5, 0.0) + 0.5 * each.scores
        moved.append(dataclasses.replace(each, scores=scores))
    distances, table = run_null_tests(Population(moved, types, 0.1, settings), moved, None, (5.0, 10.0), settings)
    assert table is None and distances.medium.survives("length") and distances.medium.excess["length"].atoms == 6
