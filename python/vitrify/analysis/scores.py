"""Scores of predictions of a scalar of each atom, and of the standard deviations that come with them.

Atoms whose label is NaN do not count. An undefined score (a correlation with a constant) is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from vitrify.core.errors import VitrifyError

TAIL = 0.05  # share of the atoms that the AUC asks for
COVERED = (0.5, 1.0, 1.5, 2.0, 3.0)  # standard deviations within which labels are counted
LEVELS = np.linspace(0.05, 0.95, 19)  # of the calibration curve


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """Correlation of a (N,) and b (N,); NaN if one of them is constant or N < 2."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Correlation of the ranks of a (N,) and b (N,); ties have their mean rank."""
    return pearson(stats.rankdata(a), stats.rankdata(b))


def rmse(a: ArrayLike, b: ArrayLike) -> float:
    """Root mean square of a - b (N,), in their unit; NaN for N = 0."""
    error = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return float(np.sqrt(np.mean(error**2))) if len(error) else float("nan")


def auc(values: ArrayLike, positive: ArrayLike) -> float:
    """Chance that a positive atom has a larger value (N,) than another one, ties counting half; positive (N,) bool.

    The area under the ROC curve, from the sum of ranks (Mann and Whitney). NaN if all or none are positive.
    """
    chosen = np.asarray(positive, bool)
    n, m = int(chosen.sum()), int((~chosen).sum())
    if n == 0 or m == 0:
        return float("nan")
    return float((stats.rankdata(values)[chosen].sum() - n * (n + 1) / 2) / (n * m))


def tail(labels: ArrayLike, share: float = TAIL) -> tuple[np.ndarray, np.ndarray]:
    """Which of the labels (N,) are among the `share` lowest, and which among the highest: (N,) bool each.

    Labels that tie with the last one count too.
    """
    values = np.asarray(labels, np.float64)
    count = max(1, round(share * len(values)))
    ordered = np.sort(values)
    return values <= ordered[count - 1], values >= ordered[-count]


def noise_ceiling(first: ArrayLike, second: ArrayLike) -> float:
    """Pearson correlation that the exact mean would have with one set of labels, from two independent sets (N,) of it.

    Both sets carry noise of the same size, so that they correlate by var / (var + noise), of which this is the root.
    """
    known = ~(np.isnan(np.asarray(first, np.float64)) | np.isnan(np.asarray(second, np.float64)))
    reliability = pearson(np.asarray(first)[known], np.asarray(second)[known])
    return float(np.sqrt(reliability)) if reliability > 0 else float("nan")


def score(
    predictions: ArrayLike,
    labels: ArrayLike,
    glasses: ArrayLike,
    ceiling: float | None = None,
) -> dict[str, Any]:
    """Scores of predictions (N,) of labels (N,) of atoms in `glasses` (N,), any names or numbers.

    Returns:
        atoms; pearson, spearman, rmse, bias (mean of prediction - label), auc_top, auc_bottom of all atoms together
        (pooled), where auc_top is that of finding the 5% with the largest labels among all; pearson_mean, spearman_mean
        over glasses; of_ceiling, pooled Pearson over `ceiling`, if one is given; `glasses`: the plain ones of each.

    Raises:
        VitrifyError: lengths that differ, predictions that are no numbers, no label at all, a ceiling not in (0, 1].
    """
    values, truth, names = _labelled(predictions, labels, glasses)
    if ceiling is not None and not 0 < ceiling <= 1:
        raise VitrifyError(f"the noise ceiling is {ceiling}: give a correlation above 0 and up to 1")
    each = {str(name): _plain_scores(values[names == name], truth[names == name]) for name in dict.fromkeys(names)}
    found: dict[str, Any] = _plain_scores(values, truth)
    for name in ("pearson", "spearman"):
        found[f"{name}_mean"] = float(np.mean([one[name] for one in each.values()]))
    if ceiling is not None:
        found["of_ceiling"] = found["pearson"] / ceiling
    return {**found, "glasses": each}


def _plain_scores(values: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    low, high = tail(truth)
    return {
        "atoms": len(truth),
        "pearson": pearson(values, truth),
        "spearman": spearman(values, truth),
        "rmse": rmse(values, truth),
        "bias": float(np.mean(values - truth)),
        "auc_top": auc(values, high),
        "auc_bottom": auc(-values, low),
    }


def over_seeds(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """{mean, std, seeds} of every number in the scores of several seeds, nested as they are; std with n - 1.

    A number that some seed lacks is left out; one seed has no spread (NaN).
    """
    if not scores:
        raise VitrifyError("there are no scores to average: give those of at least one seed")
    found: dict[str, Any] = {}
    for key in scores[0]:
        values = [one[key] for one in scores if key in one]
        if len(values) < len(scores):
            continue
        if isinstance(values[0], Mapping):
            found[key] = over_seeds(values)
        elif isinstance(values[0], int | float):
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
            found[key] = {"mean": float(np.mean(values)), "std": spread, "seeds": len(values)}
    return found


def calibration(predictions: ArrayLike, deviations: ArrayLike, labels: ArrayLike) -> dict[str, Any]:
    """How well standard deviations (N,) tell the errors of predictions (N,) of labels (N,), as normal distributions.

    Returns:
        covered: (z, share of labels within z deviations, share expected) for several z; calibration_error: mean
        distance of the calibration curve from the diagonal; residual_mean, residual_rms: of (label - prediction) /
        deviation, 0 and 1 if calibrated; spearman_error: of |error| with the deviation, which stays far below 1 even
        if the deviations are exact, as errors are random; nll: mean negative logarithm of the likelihood, and
        nll_constant, the same with one deviation, the RMSE, for all.

    Raises:
        VitrifyError: as `score`, and deviations that are no positive numbers.
    """
    values, truth, sigma = _labelled(predictions, labels, deviations)
    sigma = check_deviations(sigma)
    residual = (truth - values) / sigma
    constant = max(rmse(values, truth), np.finfo(float).tiny)
    _, observed = calibration_curve(values, sigma, truth)
    return {
        "covered": [
            [z, float(np.mean(np.abs(residual) <= z)), float(stats.norm.cdf(z) - stats.norm.cdf(-z))] for z in COVERED
        ],
        "calibration_error": float(np.mean(np.abs(observed - LEVELS))),
        "residual_mean": float(residual.mean()),
        "residual_rms": float(np.sqrt(np.mean(residual**2))),
        "spearman_error": spearman(np.abs(truth - values), sigma),
        "nll": float(np.mean(0.5 * residual**2 + np.log(sigma) + 0.5 * np.log(2 * np.pi))),
        "nll_constant": float(0.5 + np.log(constant) + 0.5 * np.log(2 * np.pi)),
    }


def calibration_curve(
    predictions: ArrayLike, deviations: ArrayLike, labels: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Levels, and the share of labels below that quantile of their predicted normal distributions: (19,) each."""
    values, truth, sigma = _labelled(predictions, labels, deviations)
    below = stats.norm.cdf((truth - values) / check_deviations(sigma))
    return LEVELS.copy(), np.array([np.mean(below <= level) for level in LEVELS])


def error_by_deviation(
    predictions: ArrayLike, deviations: ArrayLike, labels: ArrayLike, bins: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Atoms sorted by deviation, in `bins` parts of equal size: rms deviation and rms error of each, (bins,) each."""
    values, truth, sigma = _labelled(predictions, labels, deviations)
    parts = np.array_split(np.argsort(check_deviations(sigma), kind="stable"), min(bins, len(sigma)))
    expected = [np.sqrt(np.mean(sigma[part] ** 2)) for part in parts]
    return np.array(expected), np.array([rmse(values[part], truth[part]) for part in parts])


def check_deviations(deviations: ArrayLike) -> np.ndarray:
    """`deviations` (N,) as float64; VitrifyError unless all are positive numbers."""
    sigma = np.asarray(deviations, np.float64)
    bad = ~(np.isfinite(sigma) & (sigma > 0))
    if bad.any():
        raise VitrifyError(
            f"{int(bad.sum())} standard deviations are no positive numbers (the first is {sigma[bad][0]}): "
            "give one for each prediction"
        )
    return sigma


def _labelled(
    predictions: ArrayLike, labels: ArrayLike, others: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions and labels in double precision, and another value of each atom, for atoms with a label."""
    values, truth, other = np.asarray(predictions, np.float64), np.asarray(labels, np.float64), np.asarray(others)
    if values.ndim != 1 or not values.shape == truth.shape == other.shape:
        raise VitrifyError(
            f"predictions, labels and what belongs to their atoms have the shapes {values.shape}, {truth.shape} and "
            f"{other.shape}: give one number for each atom"
        )
    known = ~np.isnan(truth)
    if not known.any():
        raise VitrifyError("no atom has a label: scores need some")
    if not np.isfinite(values[known]).all():
        raise VitrifyError(
            f"{int((~np.isfinite(values[known])).sum())} predictions are no numbers: the model or its input is broken"
        )
    return values[known], truth[known], other[known]
