"""Scores against brute-force counts, scipy's own correlations, and samples of a known distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vitrify.analysis import scores
from vitrify.core.errors import VitrifyError


def noisy(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, labels, and which of three glasses of unequal size and mean the atoms are in."""
    rng = np.random.default_rng(seed)
    glasses = rng.choice(3, size=n, p=[0.5, 0.3, 0.2])
    labels = rng.gamma(3.0, size=n) + 0.5 * glasses
    return 0.6 * labels + rng.normal(size=n), labels, glasses


def test_correlations_are_those_of_scipy() -> None:
    predictions, labels, _ = noisy()
    expected = stats.pearsonr(predictions, labels).statistic
    assert scores.pearson(predictions, labels) == pytest.approx(expected, rel=1e-12)
    rounded = np.round(labels)  # many ties
    expected = stats.spearmanr(predictions, rounded).statistic
    assert scores.spearman(predictions, rounded) == pytest.approx(expected, rel=1e-12)
    assert np.isnan(scores.pearson(np.ones(5), np.arange(5.0)))
    assert np.isnan(scores.pearson([1.0], [2.0]))


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_auc_counts_pairs(decimals: int) -> None:
    """With and without ties, against every pair of a positive and another atom."""
    rng = np.random.default_rng(decimals)
    values = np.round(rng.normal(size=300), decimals)
    positive = rng.random(300) < 0.1 + 0.3 * (values > 0)
    above = values[positive][:, None] - values[~positive][None]
    count = ((above > 0).sum() + 0.5 * (above == 0).sum()) / above.size
    assert 0.5 < count < 1
    assert scores.auc(values, positive) == pytest.approx(count, rel=1e-12)
    assert np.isnan(scores.auc(values, np.zeros(300, bool)))


def test_tails() -> None:
    low, high = scores.tail(np.arange(100.0)[::-1], 0.05)
    assert low.nonzero()[0].tolist() == [95, 96, 97, 98, 99]
    assert high.nonzero()[0].tolist() == [0, 1, 2, 3, 4]
    low, high = scores.tail([1.0, 1.0, 2.0, 3.0], 0.25)
    assert low.tolist() == [True, True, False, False]  # ties with the last one count
    assert high.tolist() == [False, False, False, True]


def test_pooled_and_per_glass() -> None:
    predictions, labels, glasses = noisy()
    names = np.array(["a", "b", "c"])[glasses]
    found = scores.score(predictions, labels, names, ceiling=0.9)
    each = [stats.pearsonr(predictions[glasses == g], labels[glasses == g]).statistic for g in range(3)]
    assert found["pearson"] == pytest.approx(np.corrcoef(predictions, labels)[0, 1])
    assert found["pearson"] != pytest.approx(np.mean(each), abs=1e-3)  # the glasses differ in their means
    assert found["pearson_mean"] == pytest.approx(np.mean(each))
    assert [found["glasses"][name]["pearson"] for name in "abc"] == pytest.approx(each)
    assert found["spearman_mean"] == pytest.approx(
        np.mean([stats.spearmanr(predictions[glasses == g], labels[glasses == g]).statistic for g in range(3)])
    )
    assert found["of_ceiling"] == pytest.approx(found["pearson"] / 0.9)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((predictions - labels) ** 2)))
    assert found["bias"] == pytest.approx(np.mean(predictions) - np.mean(labels))
    assert sum(one["atoms"] for one in found["glasses"].values()) == found["atoms"] == 4000
    largest = np.zeros(4000, bool)
    largest[np.argsort(labels)[-200:]] = True
    assert found["auc_top"] == pytest.approx(scores.auc(predictions, largest))
    smallest = np.zeros(4000, bool)
    smallest[np.argsort(labels)[:200]] = True
    assert found["auc_bottom"] == pytest.approx(1 - scores.auc(predictions, smallest))
    assert min(found["auc_top"], found["auc_bottom"]) > 0.6


def test_atoms_without_a_label_do_not_count() -> None:
    predictions, labels, glasses = noisy()
    keep = np.random.default_rng(1).random(4000) < 0.3
    sparse = np.where(keep, labels, np.nan)
    broken = np.where(keep, predictions, np.nan)  # what is predicted there does not matter
    assert scores.score(broken, sparse, glasses) == scores.score(predictions[keep], labels[keep], glasses[keep])


def test_bad_input_is_refused() -> None:
    predictions, labels, glasses = noisy(10)
    for bad in (
        lambda: scores.score(predictions[:9], labels, glasses),
        lambda: scores.score(predictions * np.nan, labels, glasses),
        lambda: scores.score(predictions, labels * np.nan, glasses),
        lambda: scores.score(predictions, labels, glasses, ceiling=1.2),
        lambda: scores.calibration(predictions, np.zeros(10), labels),
        lambda: scores.over_seeds([]),
    ):
        with pytest.raises(VitrifyError, match=r": "):
            bad()


def test_the_noise_ceiling_is_what_the_exact_mean_scores() -> None:
    rng = np.random.default_rng(2)
    exact = rng.normal(size=200_000)
    first, second = (exact + 0.6 * rng.normal(size=200_000) for _ in range(2))
    second[:100] = np.nan
    assert scores.noise_ceiling(first, second) == pytest.approx(scores.pearson(exact, first), abs=3e-3)
    assert np.isnan(scores.noise_ceiling(exact, rng.normal(size=200_000) - exact))


def test_spread_over_seeds() -> None:
    seeds = [{"pearson": r, "atoms": 5, "glasses": {"a": {"rmse": 2 * r}}} for r in (0.5, 0.6, 0.9)]
    found = scores.over_seeds([*seeds[:2], {**seeds[2], "of_ceiling": 1.0}])
    assert found["pearson"] == {"mean": pytest.approx(2 / 3), "std": pytest.approx(0.208167, rel=1e-5), "seeds": 3}
    assert found["glasses"]["a"]["rmse"]["std"] == pytest.approx(0.416333, rel=1e-5)
    assert "of_ceiling" not in found
    assert np.isnan(scores.over_seeds(seeds[:1])["pearson"]["std"])


def gaussian(n: int = 100_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, their exact deviations, which spread by a factor of about 4, and labels."""
    rng = np.random.default_rng(3)
    predictions, deviations = rng.normal(size=n), np.exp(0.5 * rng.normal(size=n))
    return predictions, deviations, predictions + deviations * rng.normal(size=n)


def test_exact_deviations_are_calibrated() -> None:
    predictions, deviations, labels = gaussian()
    found = scores.calibration(predictions, deviations, labels)
    for z, share, expected in found["covered"]:
        assert share == pytest.approx(expected, abs=5e-3), z
    assert [row[2] for row in found["covered"] if row[0] in (1.0, 2.0)] == pytest.approx([0.6827, 0.9545], abs=1e-4)
    assert found["calibration_error"] < 3e-3
    assert found["residual_rms"] == pytest.approx(1, abs=0.01) and abs(found["residual_mean"]) < 0.01
    assert 0.3 < found["spearman_error"] < 0.6
    assert found["nll"] == pytest.approx(-stats.norm.logpdf(labels, predictions, deviations).mean())
    rmse = np.sqrt(np.mean((labels - predictions) ** 2))
    assert found["nll_constant"] == pytest.approx(-stats.norm.logpdf(labels, predictions, rmse).mean())
    assert found["nll"] < found["nll_constant"]
    expected, error = scores.error_by_deviation(predictions, deviations, labels, bins=5)
    assert np.allclose(error, expected, rtol=0.03) and error[-1] > 3 * error[0]


def test_wrong_deviations_show() -> None:
    predictions, deviations, labels = gaussian()
    half = scores.calibration(predictions, 0.5 * deviations, labels)  # overconfident
    assert half["residual_rms"] == pytest.approx(2, abs=0.02)
    assert half["covered"][1][1] == pytest.approx(2 * stats.norm.cdf(0.5) - 1, abs=5e-3)
    assert half["calibration_error"] > 0.05
    shuffled = scores.calibration(predictions, np.random.default_rng(4).permutation(deviations), labels)
    assert abs(shuffled["spearman_error"]) < 0.01
    assert shuffled["nll"] > scores.calibration(predictions, deviations, labels)["nll"]
    levels, observed = scores.calibration_curve(predictions + 1.0, deviations, labels)  # predicts too much
    assert (observed > levels).all()
