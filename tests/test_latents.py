"""The density of a latent space: it is that of the data, and conditional samples have the energies asked for."""

import numpy as np
import pytest

from vitrify.errors import VitrifyError
from vitrify.latents import Density, fit_density


@pytest.fixture(scope="module")
def rows():
    """Two clusters in three dimensions whose energy follows from the first of them, with noise."""
    random = np.random.default_rng(0)
    z = random.normal(size=(4000, 3)) * [1.0, 0.5, 0.2]
    z[:1000] += [6.0, 0.0, 1.0]
    return np.column_stack([z, 0.3 * z[:, 0] - 5.0 + 0.05 * random.normal(size=4000)])


def test_samples_are_distributed_as_the_data(rows):
    density = fit_density(rows, 4)
    assert density.weights.sum() == pytest.approx(1.0)
    drawn = density.sample(20000, seed=1)
    np.testing.assert_allclose(drawn.mean(0), rows[:, :3].mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(rows[:, :3].T), atol=0.15)
    assert np.mean(drawn[:, 0] > 3.0) == pytest.approx(0.25, abs=0.02)
    assert np.mean(np.abs(drawn[:, 0] - 3.0) < 0.3) < 0.02  # nothing between the clusters
    np.testing.assert_array_equal(density.sample(3, seed=5), density.sample(3, seed=5))
    assert not np.array_equal(density.sample(3, seed=5), density.sample(3, seed=6))


def test_conditional_samples_have_the_energies_asked_for(rows):
    density = fit_density(rows, 4)
    low, high = density.quantiles((0.1, 0.3))
    np.testing.assert_allclose([low, high], np.quantile(rows[:, 3], [0.1, 0.3]), atol=0.02)
    z = density.sample_between(low, high, 4000, seed=2)
    inside = rows[(rows[:, 3] > low) & (rows[:, 3] < high)]
    energies = 0.3 * z[:, 0] - 5.0
    # what the noise of the energy leaves of the window
    assert np.mean((energies > low - 0.1) & (energies < high + 0.1)) > 0.97
    np.testing.assert_allclose(z.mean(0), inside[:, :3].mean(0), atol=0.08)
    np.testing.assert_allclose(z.std(0), inside[:, :3].std(0), atol=0.08)
    # between the clusters there are nearly no data, and outside none
    with pytest.raises(VitrifyError, match=r"energies from 4 to 5 are not in the data, whose lie from -5\..* to -"):
        density.sample_between(4.0, 5.0, 1, seed=1)
    with pytest.raises(VitrifyError, match="leave nothing between them"):
        density.sample_between(-4.0, -5.0, 1, seed=1)


def test_few_rows_get_few_gaussians(rows):
    density = fit_density(np.vstack([rows[:12], [[np.nan] * 4]]), 4)
    assert (density.weights > 0).sum() == 1 and density.weights.shape == (4,)
    np.testing.assert_allclose(density.means[0], rows[:12].mean(0), atol=1e-6)
    assert np.isfinite(density.sample(10, 1)).all()
    with pytest.raises(VitrifyError, match="1 structures with an energy are too few"):
        fit_density(rows[:1], 4)


def test_a_conditional_sample_of_one_gaussian_is_exact():
    covariance = np.array([[1.0, 0.6], [0.6, 1.0]])
    density = Density(np.ones(1), np.zeros((1, 2)), covariance[None])
    z = density.sample_between(0.99, 1.01, 40000, seed=3)[:, 0]
    assert z.mean() == pytest.approx(0.6, abs=0.02)
    assert z.std() == pytest.approx(0.8, abs=0.02)
