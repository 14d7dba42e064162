"""The density of a latent space: it is that of the data, and what is drawn from it follows exactly from it."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import kstest, truncnorm

from vitrify.core.counter_rng import Stream, normal3, uniform
from vitrify.core.errors import VitrifyError
from vitrify.glassvae.models.latent_density import Density, fit_density

CHOICES, NOISE = Stream.LATENT_CHOICES, Stream.LATENT_NOISE


@pytest.fixture(scope="module")
def rows():
    """Two clusters in three dimensions whose energy follows from the first of them, with noise."""
    random = np.random.default_rng(0)
    z = random.normal(size=(4000, 3)) * [1.0, 0.5, 0.2]
    z[:1000] += [6.0, 0.0, 1.0]
    return np.column_stack([z, 0.3 * z[:, 0] - 5.0 + 0.05 * random.normal(size=4000)])


@pytest.fixture(scope="module")
def mixture():
    """Three Gaussians in three dimensions whose energies overlap, one of them alone at high energies."""
    random = np.random.default_rng(1)
    roots = random.normal(size=(3, 4, 4)) * [[[1.0], [0.7], [0.5], [0.1]]]
    means = np.column_stack([random.normal(size=(3, 3)), [-5.2, -5.0, -3.5]])
    return Density(np.array([0.5, 0.35, 0.15]), means, roots @ roots.transpose(0, 2, 1))


def drawn_by_numpy(density, count, seed):
    """Rows (count, D + 1) of the mixture from numpy's own generator."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(density.weights), count, p=density.weights)
    noise = random.normal(size=(count, density.means.shape[1]))
    roots = np.linalg.cholesky(density.covariances)
    return density.means[chosen] + np.einsum("nij,nj->ni", roots[chosen], noise)


def test_samples_are_distributed_as_the_data(rows):
    density = fit_density(rows, 4)
    assert density.weights.sum() == pytest.approx(1.0)
    drawn, energies = density.sample(20000, seed=1)
    np.testing.assert_allclose(drawn.mean(0), rows[:, :3].mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(rows[:, :3].T), atol=0.15)
    expected = np.corrcoef(rows[:, 3], rows[:, 0])[0, 1]
    assert np.corrcoef(energies, drawn[:, 0])[0, 1] == pytest.approx(expected, abs=0.01)
    assert np.mean(drawn[:, 0] > 3.0) == pytest.approx(0.25, abs=0.02)
    assert np.mean(np.abs(drawn[:, 0] - 3.0) < 0.3) < 0.02  # nothing between the clusters
    np.testing.assert_array_equal(density.sample(3, seed=5)[0], density.sample(3, seed=5)[0])
    np.testing.assert_array_equal(density.sample(3, seed=5)[0], density.sample(9, seed=5)[0][:3])
    assert not np.array_equal(density.sample(3, seed=5)[0], density.sample(3, seed=6)[0])


@pytest.mark.parametrize(
    ("low", "high"),
    [(-np.inf, np.inf), (-5.1, -5.05), (-np.inf, -5.4), (-4.9, np.inf), (-5.0, -3.4), (-3.45, -3.44), (-6.0, -5.5)],
)
def test_the_law_of_z_in_a_window(mixture, low, high):
    """Against rejection: rows of the whole mixture whose energies happen to lie in the window."""
    whole = drawn_by_numpy(mixture, 1_500_000, 2)
    kept = whole[(whole[:, -1] > low) & (whole[:, -1] < high)][:8000]
    assert len(kept) > 300
    z, energies = mixture.sample(8000, 3, low, high)
    assert energies.min() >= low and energies.max() <= high
    found = np.column_stack([z, energies])
    mixed = np.random.default_rng(4).normal(size=(4, 6)) / found.std(0)[:, None]
    for one, other in zip(np.hstack([found, found @ mixed]).T, np.hstack([kept, kept @ mixed]).T, strict=True):
        assert kstest(one, other).pvalue > 1e-3


def test_draws_are_numbers_that_anyone_can_count(mixture):
    """Philox, the inverse of the normal distribution and Cholesky, in numpy."""
    low, high, seed = -5.15, -4.95, 4000000007
    mean, spread = mixture.means[:, -1], np.sqrt(mixture.covariances[:, -1, -1])
    below, above = ndtr((low - mean) / spread), ndtr((high - mean) / spread)
    shares = mixture.weights * (above - below)
    ends = np.cumsum(shares) / shares.sum()
    found, energies = mixture.sample(40, seed, low, high)
    for index in range(40):
        choice, rank = uniform(np.array([2 * index, 2 * index + 1]), seed, CHOICES)
        k = int(np.searchsorted(ends, choice))
        first = ndtri(below[k] + rank * (above[k] - below[k]))
        turned = np.roll(mixture.covariances[k], (1, 1), (0, 1))  # the energy first
        standard = np.concatenate([[first], normal3(np.array([index]), 0, seed, NOISE)[0]])
        expected = np.roll(mixture.means[k], 1) + np.linalg.cholesky(turned) @ standard
        np.testing.assert_allclose([energies[index], *found[index]], expected, rtol=0, atol=1e-9)


def test_tails_are_exact():
    """Far up and far down, where the distribution function is one or zero to double precision."""
    density = Density(np.ones(1), np.zeros((1, 2)), np.eye(2)[None])
    for low, high in ((2.8, 3.2), (-3.2, -2.8)):
        energies = density.sample(20000, 1, low, high)[1]
        assert kstest(energies, truncnorm(low, high).cdf).pvalue > 1e-3
    both = Density(np.array([1.0, 1e-30]), np.array([[0.0, 0.0], [0.0, 60.0]]), np.stack([np.eye(2)] * 2))
    assert np.isfinite(both.sample(100, 1, -1.0, 100.0)[0]).all()


def test_quantiles(rows, mixture):
    low, high = fit_density(rows, 4).quantiles((0.1, 0.3))
    np.testing.assert_allclose([low, high], np.quantile(rows[:, 3], [0.1, 0.3]), atol=0.02)
    drawn = drawn_by_numpy(mixture, 1_000_000, 5)[:, -1]
    shares = (0.01, 0.3, 0.9, 0.99)
    np.testing.assert_allclose(mixture.quantiles(shares), np.quantile(drawn, shares), atol=0.003)
    with pytest.raises(VitrifyError, match="not between 0 and 1"):
        mixture.quantiles((1.5,))


@pytest.mark.parametrize(
    ("low", "high", "match"),
    [
        (4.0, 5.0, r"next to no training data with energies from 4 to 5: most lie from -5\.\d+ to -3\.\d+, ask for"),
        (-3.95, -3.8, "next to no training data"),  # between Gaussians
        (-3.95, -3.949, "next to no training data"),
        (-np.inf, -7.0, "next to no training data with energies from -inf to -7"),
        (-4.0, -5.0, "energies -4 to -5 leave nothing between them: give the lower one first"),
        (-5.0, -5.0, "leave nothing between them"),
        (np.nan, -5.0, "leave nothing between them"),
    ],
)
def test_windows_without_data_are_refused(mixture, low, high, match):
    with pytest.raises(VitrifyError, match=match):
        mixture.sample(1, 1, low, high)


def test_a_density_that_makes_no_sense_is_refused(mixture):
    w, m, c = mixture.weights, mixture.means, mixture.covariances
    for wrong, match in (
        ((w[:2], m, c), "needs weights|give weights"),
        ((-w, m, c), "not positive"),
        ((0 * w, m, c), "not positive"),
        ((w, m, 0 * c), "do not vary"),
        ((w, m * np.nan, c), "NaN"),
    ):
        with pytest.raises(VitrifyError, match=match):
            Density(*wrong).sample(1, 1)


def test_few_rows_get_few_gaussians(rows):
    density = fit_density(np.vstack([rows[:12], [[np.nan] * 4]]), 4)
    assert (density.weights > 0).sum() == 1 and density.weights.shape == (4,)
    np.testing.assert_allclose(density.means[0], rows[:12].mean(0), atol=1e-6)
    assert np.isfinite(density.sample(10, 1)[0]).all()
    with pytest.raises(VitrifyError, match="1 structures with an energy are too few"):
        fit_density(rows[:1], 4)


def test_a_conditional_sample_of_one_gaussian_is_exact():
    covariance = np.array([[1.0, 0.6], [0.6, 1.0]])
    density = Density(np.ones(1), np.zeros((1, 2)), covariance[None])
    z = density.sample(40000, 3, 0.99, 1.01)[0][:, 0]
    assert z.mean() == pytest.approx(0.6, abs=0.02)
    assert z.std() == pytest.approx(0.8, abs=0.02)
