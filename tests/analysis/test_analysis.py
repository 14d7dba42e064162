"""The observables against systems whose answer is known without them."""

from __future__ import annotations

import numpy as np
import pytest

from vitrify.analysis import (
    coordination_number,
    diffusion_coefficient,
    energy_drift,
    first_peak,
    first_structure_peak,
    logarithmic_slope,
    msd,
    partial_rdf,
    rdf_difference,
    self_intermediate,
    species_temperatures,
    spectrum_difference,
    structure_factor,
    velocity_autocorrelation,
    vibrational_spectrum,
)
from vitrify.core.errors import VitrifyError
from vitrify.core.units import get_units

TRICLINIC = np.array([[6.0, 0.0, 0.0], [1.5, 5.0, 0.0], [-1.0, 0.7, 5.5]])


def test_ideal_gas_has_unit_rdf() -> None:
    rng = np.random.default_rng(0)
    frames = rng.random((15, 300, 3)) @ TRICLINIC
    rdf = partial_rdf(frames, TRICLINIC, np.repeat([0, 1], [200, 100]), 2, 5.0, 10)
    for g in rdf.g.values():
        np.testing.assert_allclose(g[2:], 1.0, atol=0.04)


def test_fcc_shells_hold_the_known_number_of_neighbours() -> None:
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    cells = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    crystal = (cells + base).reshape(-1, 3)
    # r_max is beyond the whole cell: images must be counted.
    rdf = partial_rdf(crystal[None], np.eye(3) * 2, np.zeros(32, int), 1, 2.2, 2200)
    counts = rdf.g[0, 0] * 4 * np.pi * (rdf.r**2 + 0.001**2 / 12) * 0.001 * 31 / 8
    shells = {1 / np.sqrt(2): 12, 1.0: 6, np.sqrt(1.5): 24, np.sqrt(2): 12, np.sqrt(2.5): 24}
    for radius, neighbours in shells.items():
        assert counts[np.abs(rdf.r - radius) < 0.003].sum() == pytest.approx(neighbours, rel=1e-6)
    assert counts.sum() > sum(shells.values())


def test_rdf_equals_a_sum_over_images_and_ignores_wrapping() -> None:
    rng = np.random.default_rng(1)
    types = np.array([0] * 7 + [1] * 3)
    positions = rng.random((10, 3)) @ TRICLINIC
    rdf = partial_rdf(positions[None], TRICLINIC, types, 2, 7.0, 20)
    images = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, indexing="ij"), -1).reshape(-1, 3) @ TRICLINIC
    d = np.linalg.norm(positions[None, :, None] - positions[:, None, None] + images, axis=-1)
    volume = np.linalg.det(TRICLINIC)
    for (a, b), g in rdf.g.items():
        block = d[types == a][:, types == b].ravel()
        counts, edges = np.histogram(block[block > 1e-9], 20, (0, 7))
        pairs = np.sum(types == a) * (np.sum(types == b) - (a == b))
        expected = counts / pairs * volume / (4 / 3 * np.pi * np.diff(edges**3))
        np.testing.assert_allclose(g, expected, rtol=1e-12)
    moved = positions + rng.integers(-9, 9, (10, 3)) @ TRICLINIC
    again = partial_rdf(moved[None], TRICLINIC, types, 2, 7.0, 20)
    assert max(rdf_difference(again, rdf).values()) < 1e-9


def test_rdf_difference_is_relative_and_refuses_other_bins() -> None:
    rng = np.random.default_rng(2)
    types = np.zeros(50, int)
    rdf = partial_rdf(rng.random((1, 50, 3)) * 4, np.eye(3) * 4, types, 1, 2.0, 10)
    scaled = type(rdf)(rdf.r, {(0, 0): 1.1 * rdf.g[0, 0]})
    assert rdf_difference(scaled, rdf)[0, 0] == pytest.approx(0.1)
    other = partial_rdf(rng.random((1, 50, 3)) * 4, np.eye(3) * 4, types, 1, 2.0, 11)
    with pytest.raises(VitrifyError, match="bins"):
        rdf_difference(other, rdf)


def test_a_species_of_one_atom_has_no_pairs() -> None:
    rdf = partial_rdf(np.random.default_rng(3).random((1, 5, 3)), np.eye(3), np.array([0, 0, 0, 0, 1]), 2, 0.9, 5)
    assert not rdf.g[1, 1][rdf.r < 0.5].any()
    assert np.isfinite(rdf.g[0, 1]).all()


def test_first_peak_of_a_gaussian_and_coordination_of_an_ideal_gas() -> None:
    r = np.linspace(0.05, 4.95, 50)
    position, height = first_peak(r, 3 * np.exp(-((r - 2.43) ** 2) / 0.5))
    assert position == pytest.approx(2.43, abs=0.005)
    assert height == pytest.approx(3, rel=0.01)
    gas = partial_rdf(np.random.default_rng(4).random((50, 200, 3)) * 10, np.eye(3) * 10, np.zeros(200, int), 1, 5, 50)
    # 0.2 atoms in unit volume, one of which is the centre itself
    assert coordination_number(gas, (0, 0), 0.2, 3.0) == pytest.approx(0.2 * 4 / 3 * np.pi * 27, rel=0.03)


def test_msd_of_a_random_walk_and_its_diffusion_coefficient() -> None:
    rng = np.random.default_rng(5)
    sigma, dt = 0.3, 0.5
    walk = np.cumsum(rng.normal(size=(400, 600, 3)) * sigma, axis=0) + 1e6
    lags, values = msd(walk, max_lag=20)
    np.testing.assert_allclose(values[1:], 3 * sigma**2 * lags[1:], rtol=0.03)
    assert diffusion_coefficient(lags * dt, values, 1.0) == pytest.approx(sigma**2 / (2 * dt), rel=0.03)


def test_msd_equals_the_average_written_out() -> None:
    rng = np.random.default_rng(6)
    x, types = rng.normal(size=(9, 4, 3)), np.array([0, 1, 1, 0])
    lags, values = msd(x, types)
    vacf = velocity_autocorrelation(x, types)[1]
    assert values.shape == (2, 9) == vacf.shape
    for lag in lags:
        now, later = x[: 9 - lag], x[lag:]
        for kind in (0, 1):
            square = np.sum((later - now)[:, types == kind] ** 2, -1).mean()
            assert values[kind, lag] == pytest.approx(square, abs=1e-12)
            product = np.sum((later * now)[:, types == kind], -1).mean()
            assert vacf[kind, lag] == pytest.approx(product, abs=1e-12)


def test_msd_of_free_flight_is_ballistic() -> None:
    t = np.arange(50)[:, None, None] * 0.1
    v = np.random.default_rng(7).normal(size=(1, 20, 3))
    lags, values = msd(v * t)
    np.testing.assert_allclose(values, np.sum(v**2, -1).mean() * (lags * 0.1) ** 2, atol=1e-10)


def test_scattering_of_free_particles_is_gaussian() -> None:
    """Maxwell velocities: F_s = exp(-(k s t)^2 / 2), s the spread of a component, here another for each type."""
    rng = np.random.default_rng(10)
    types = np.repeat([0, 1], [20000, 20000])
    v = rng.normal(size=(1, 40000, 3)) * np.where(types == 0, 1.0, 0.5)[:, None]
    t = np.arange(12) * 0.05
    found = self_intermediate(t[:, None, None] * v + 3.0, types, 4.0, np.arange(12))
    for row, spread in zip(found, (1.0, 0.5), strict=True):
        np.testing.assert_allclose(row, np.exp(-0.5 * (4.0 * spread * t) ** 2), atol=0.01)


def test_scattering_of_a_random_walk_decays_exponentially() -> None:
    rng = np.random.default_rng(11)
    walk = np.cumsum(rng.normal(size=(60, 3000, 3)) * 0.1, axis=0)
    lags = np.array([0, 1, 5, 20])
    found = self_intermediate(walk, None, 3.0, lags, origins=40)
    np.testing.assert_allclose(found, np.exp(-0.5 * 9 * 0.01 * lags), atol=0.01)
    # The average over directions of k is that of cos(k.d) over many k of one length.
    k = rng.normal(size=(4000, 3))
    k *= 3.0 / np.linalg.norm(k, axis=1)[:, None]
    direct = np.mean(np.cos((walk[20, :50] - walk[0, :50]) @ k.T))
    assert self_intermediate(walk[[0, 20], :50], None, 3.0, np.array([1]))[0] == pytest.approx(direct, abs=0.01)


def oscillators(frequencies: np.ndarray, frames: int, interval: float) -> np.ndarray:
    """(frames, N, 3) velocities of independent harmonic oscillators of equal energy, with random phases."""
    phases = np.random.default_rng(12).random((len(frequencies), 3)) * 2 * np.pi
    t = np.arange(frames)[:, None, None] * interval
    return np.cos(2 * np.pi * frequencies[:, None] * t + phases)


def test_the_spectrum_of_an_oscillator_peaks_at_its_frequency() -> None:
    types = np.repeat([0, 1], 50)
    v = oscillators(np.where(types == 0, 3.2, 7.9), 400, 0.02)
    frequencies, g = vibrational_spectrum(v, types, 0.02)
    assert frequencies[-1] == pytest.approx(25.0)
    np.testing.assert_allclose(np.trapezoid(g, frequencies), 1.0)
    for row, frequency in zip(g, (3.2, 7.9), strict=True):
        assert frequencies[np.argmax(row)] == pytest.approx(frequency, abs=0.15)
        near = np.abs(frequencies - frequency) < 1.0
        assert np.trapezoid(row[near], frequencies[near]) > 0.97
    assert spectrum_difference(frequencies, g[0], g[0]) == 0
    assert spectrum_difference(frequencies, g[0], g[1]) == pytest.approx(2, abs=0.1)


def test_the_spectrum_of_a_debye_solid_is_a_parabola() -> None:
    rng = np.random.default_rng(13)
    debye = 8.0
    v = oscillators(debye * rng.random(6000) ** (1 / 3), 300, 0.03)  # density of states 3 f^2 / f_D^3
    frequencies, g = vibrational_spectrum(v, None, 0.03)
    expected = np.where(frequencies < debye, 3 * frequencies**2 / debye**3, 0.0)
    assert spectrum_difference(frequencies, g, expected) < 0.08  # resolution rounds the edge off
    inside = (frequencies > 1.5) & (frequencies < 6.5)
    np.testing.assert_allclose(g[inside], expected[inside], rtol=0.1, atol=0.005)


def test_frequencies_beyond_the_highest_fold_back() -> None:
    frequencies, g = vibrational_spectrum(oscillators(np.full(60, 7.0), 400, 0.1), None, 0.1)
    assert frequencies[-1] == pytest.approx(5.0)
    assert frequencies[np.argmax(g)] == pytest.approx(3.0, abs=0.1)


def test_structure_factor_of_a_crystal_a_gas_and_a_pair() -> None:
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    cells = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    crystal = (cells + base).reshape(-1, 3)
    k, s = structure_factor(crystal[None], np.eye(3) * 4, 11.5, per_bin=10**6)
    # The first reflection, 111, is at 2 pi sqrt(3), in a bin as wide as 2 pi / 4; each of its 8 vectors has S = N.
    bin_of_111 = int(np.argmin(np.abs(k - first_structure_peak(k, s))))
    assert abs(k[bin_of_111] - 2 * np.pi * np.sqrt(3)) < np.pi / 2
    assert s[:bin_of_111].max() < 1e-20
    inside = sum(  # vectors of 2 pi / 4 (n1, n2, n3) in that bin
        6 <= np.sqrt(a * a + b * b + c * c) < 7 for a in range(-7, 8) for b in range(-7, 8) for c in range(-7, 8)
    )
    assert s[bin_of_111] == pytest.approx(8 * 256 / inside)
    gas = np.random.default_rng(14).random((200, 300, 3)) @ TRICLINIC
    k, s = structure_factor(gas, TRICLINIC, 6.0)
    np.testing.assert_allclose(s[1:], 1.0, atol=0.1)
    # Two atoms, d apart: S = 1 + cos(k.d), for the smallest wave vectors of a cube.
    cube = np.eye(3) * 5.0
    pair = np.array([[[0, 0, 0], [1.3, 0.4, -0.7]]])
    k, s = structure_factor(pair, cube, 1.3)
    expected = 1 + np.mean(np.cos(2 * np.pi / 5.0 * pair[0, 1]))
    assert k == pytest.approx([2 * np.pi / 5.0])
    assert s == pytest.approx([expected])


def test_the_first_structure_peak_need_not_be_the_highest() -> None:
    k = np.linspace(0.5, 8, 200)
    s = 0.1 + 1.2 * np.exp(-((k - 2.0) ** 2) / 0.1) + 2.0 * np.exp(-((k - 5.0) ** 2) / 0.1)
    s += 0.3 * np.exp(-((k - 0.8) ** 2) / 0.01)  # too low to count
    assert first_structure_peak(k, s) == pytest.approx(2.0, abs=0.04)


def test_logarithmic_slopes_tell_flight_from_diffusion() -> None:
    t = np.concatenate([np.arange(1, 40), np.arange(40, 400, 10)]) * 0.1
    for power in (2.0, 1.0):
        slope = logarithmic_slope(t, 3 * t**power)
        assert np.isfinite(slope).sum() > 0.6 * len(t)
        np.testing.assert_allclose(slope[np.isfinite(slope)], power, atol=0.02)
    assert np.isnan(logarithmic_slope(t, t)[[0, -1]]).all()


def test_energy_drift_is_the_slope_for_each_atom() -> None:
    time = np.linspace(0, 5, 101)
    energy = -300 + 0.02 * 64 * time + 0.1 * np.cos(np.linspace(0, 40 * np.pi, 101))
    assert energy_drift(time, energy, 64) == pytest.approx(0.02, rel=0.02)


def test_species_temperatures_are_equal_in_equilibrium() -> None:
    units, masses = get_units("metal"), np.array([10.0, 200.0])
    types = np.array([0] * 4 + [1] * 2)
    sigma = units.thermal_velocity(masses[types], 900.0)
    v = np.random.default_rng(8).normal(size=(60000, 6, 3)) * sigma[:, None]
    m = masses[types][:, None]
    v -= (v * m).sum(1, keepdims=True) / m.sum()
    per_species = species_temperatures(v, types, masses, units).mean(0)
    np.testing.assert_allclose(per_species, 900.0, rtol=0.01)


@pytest.mark.parametrize(
    "call",
    [
        lambda: partial_rdf(np.zeros((5, 3)), np.eye(3), np.zeros(5, int), 1, 1.0, 5),
        lambda: partial_rdf(np.zeros((1, 5, 3)), np.eye(3), np.zeros(5, int), 1, -1.0, 5),
        lambda: msd(np.zeros((5, 3))),
        lambda: msd(np.zeros((5, 2, 3)), max_lag=5),
        lambda: diffusion_coefficient(np.arange(5), np.arange(5), 10.0),
        lambda: energy_drift(np.arange(5), np.arange(4), 2),
        lambda: first_peak(np.arange(5), np.arange(5)),
        lambda: first_structure_peak(np.arange(5), np.full(5, np.nan)),
        lambda: structure_factor(np.zeros((1, 5, 3)), np.eye(3), 3.0),
        lambda: self_intermediate(np.zeros((5, 2, 3)), None, 0.0, np.arange(2)),
        lambda: self_intermediate(np.zeros((5, 2, 3)), None, 1.0, np.arange(6)),
    ],
)
def test_bad_input_is_refused(call) -> None:
    with pytest.raises(VitrifyError):
        call()
