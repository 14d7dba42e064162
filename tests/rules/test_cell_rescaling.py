"""The barostat of fix ogn on systems whose ensemble is known exactly: an ideal gas, alone and in an elastic box."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from vitrify.core.compiled import _core
from vitrify.core.counter_rng import Stream, normal3
from vitrify.core.errors import VitrifyError

Array = NDArray[np.float64]
ISO, ANISO, TRI = _core.BoxShape.ISO, _core.BoxShape.ANISO, _core.BoxShape.TRI
COMPONENTS = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
BIASED = 1e-4  # a probability: seeds are fixed, so that a test that passes always does
CELL = np.array([[3.0, 0.0, 0.0], [0.7, 2.5, 0.0], [-0.4, 0.3, 3.5]])


def six(tensor: Array) -> list[float]:
    return [float(tensor[place]) for place in COMPONENTS]


def cells(
    shape: object, pressure: Callable[[Array], Array], steps: int, speed: float, *, start: Array, target: float = 0.0,
    kT: float = 1.0, modulus: float = 1.0, seed: int = 1,
) -> Array:  # fmt: skip
    """The cells (steps, 3, 3) of a chain of changes, of which each takes `speed` damping times."""
    law = _core.CellRescaling(shape, damp=1.0, modulus=modulus)
    found, cell = [], start
    for step in range(1, steps + 1):
        change = law.change(
            cell, six(pressure(cell)), target=target, kT=kT, time=speed, noise=_core.box_noise(step, 1, seed)
        )
        cell = np.array(change.cell)
        found.append(cell)
    return np.array(found)


def agree(samples: Array, apart: int, expected: stats.rv_continuous) -> None:
    """Kolmogorov and Smirnov's test of every `apart`-th sample; and mean and variance within four standard errors."""
    chosen = samples[20 * apart :: apart]
    assert stats.kstest(chosen, expected.cdf).pvalue > BIASED
    mean, variance, kurtosis = expected.stats("mvk")
    assert abs(chosen.mean() - mean) < 4 * np.sqrt(variance / len(chosen))
    assert abs(chosen.var() / variance - 1) < 4 * np.sqrt((kurtosis + 2) / len(chosen))


@pytest.mark.parametrize(
    ("shape", "n", "speed"), [(ISO, 16, 0.02), (ISO, 300, 0.1), (ISO, 300, 0.5), (ANISO, 300, 0.1), (ANISO, 300, 0.5)]
)
def test_the_volume_of_an_ideal_gas(shape: object, n: int, speed: float) -> None:
    """Of N atoms: p(V) = V^N exp(-P V / kT), whatever the time between two changes."""
    target, kT = 2.0, 1.3

    def pressure(cell: Array) -> Array:
        return n * kT / np.linalg.det(cell) * np.eye(3)

    apart = int(3 / speed)
    start = np.eye(3) * (n * kT / target) ** (1 / 3)
    found = cells(shape, pressure, 1500 * apart, speed, start=start, target=target, kT=kT, modulus=target)
    agree(np.linalg.det(found), apart, stats.gamma(n + 1, scale=kT / target))
    if shape == ISO:
        assert np.allclose(found / found[:, :1, :1], np.eye(3))
        return
    # nothing holds the shape, which diffuses as the law says: by 2 kT b t / 3 V tau in each direction
    ratio = np.diff(np.log(found[:, 0, 0] / found[:, 1, 1]).reshape(-1, apart)[:, -1])
    diffused = 4 * kT * speed * apart / (3 * target) * (1 / np.linalg.det(found)).mean()
    assert ratio.var() / diffused == pytest.approx(1, abs=0.15)


def elastic(n: int, kT: float = 1.0) -> Callable[[Array], Array]:
    """The pressure of an ideal gas whose box has the energy |h|^2 / 2."""
    return lambda cell: (n * kT * np.eye(3) - cell.T @ cell) / np.linalg.det(cell)


@pytest.mark.parametrize("shape", [ISO, ANISO, TRI])
def test_a_gas_in_an_elastic_box(shape: object) -> None:
    """For a box of nine components p(h) = V^(N - 2) exp(-|h|^2 / 2) dh, whose lower triangular form is Bartlett's of a
    Wishart distribution; of three lengths it is (L1 L2 L3)^N exp(-L^2 / 2) dL, and of one volume, V^N exp(...) dV."""
    n, apart = 200, 12
    found = cells(shape, elastic(n), 1500 * apart, 0.15, start=np.sqrt(n) * np.eye(3), modulus=0.3)
    diagonal = np.diagonal(found, axis1=1, axis2=2) ** 2
    if shape == ISO:
        agree(3 * diagonal[:, 0], apart, stats.chi2(3 * n + 3))
    for k in range(3) if shape != ISO else ():
        agree(diagonal[:, k], apart, stats.chi2(n + 1 if shape == ANISO else n + 1 - k))
    for row, column in ((1, 0), (2, 0), (2, 1)):
        if shape == TRI:
            agree(found[:, row, column], apart, stats.norm())
        else:
            assert not found[:, row, column].any()
        assert not found[:, column, row].any()


@pytest.mark.parametrize("speed", [0.1, 0.3])
def test_atoms_with_velocities(speed: float) -> None:
    """A gas with a thermostat: the volume is that of the ensemble, the temperature too, and neither tells the other.

    They would if velocities did not change inversely to the box."""
    n, target, kT, apart = 200, 1.0, 1.0, int(2 / speed)
    random = np.random.default_rng(5)
    law = _core.CellRescaling(ISO, damp=1.0, modulus=target)
    cell, v, decay = np.eye(3) * n ** (1 / 3), random.normal(size=(n, 3)), np.exp(-speed)
    volumes, energies = [], []
    for step in range(1, 1500 * apart):
        pressure = v.T @ v / np.linalg.det(cell)
        change = law.change(cell, six(pressure), target=target, kT=kT, time=speed, noise=_core.box_noise(step, 1, 3))
        cell, v = np.array(change.cell), v @ np.array(change.velocities)
        volumes.append(np.linalg.det(cell))
        energies.append((v**2).sum())
        v = decay * v + np.sqrt((1 - decay**2) * kT) * random.normal(size=(n, 3))
    agree(np.array(volumes), apart, stats.gamma(n + 1, scale=kT / target))
    agree(np.array(energies), apart, stats.chi2(3 * n))
    assert abs(stats.pearsonr(volumes[::apart], energies[::apart]).statistic) < 4 / np.sqrt(1500)


@pytest.mark.parametrize("shape", [ISO, ANISO, TRI])
def test_what_a_change_does_to_vectors(shape: object) -> None:
    """The phase space keeps its volume, and scalar products of positions with momenta their values."""
    random = np.random.default_rng(2)
    pressure = random.normal(size=(3, 3))
    pressure += pressure.T
    law = _core.CellRescaling(shape, damp=2.0, modulus=30.0)
    noise = _core.box_noise(7, 1, 4)
    change = law.change(CELL, six(pressure), target=-1.0, kT=0.5, time=1.0, noise=noise)
    cell, x, v = (np.array(each) for each in (change.cell, change.positions, change.velocities))
    assert np.allclose(cell, CELL @ x, atol=1e-14) and not np.triu(cell, 1).any()
    assert np.allclose(x @ v.T, np.eye(3), atol=1e-14)
    strain = np.zeros((3, 3))
    for (i, j), one in zip(COMPONENTS, change.strain, strict=True):
        strain[i, j] = strain[j, i] = one
    values, vectors = np.linalg.eigh(strain)
    assert np.allclose(x @ x.T, vectors @ np.diag(np.exp(2 * values)) @ vectors.T, atol=1e-14)
    # the formulas of the papers, to the first order of a small strain
    volume, rate = np.linalg.det(CELL), 1.0 / (2.0 * 30.0)
    mean = np.trace(pressure) / 3
    wanted = rate / 3 * (pressure + (1.0 + 0.5 / volume) * np.eye(3))  # with kT / V, which Ito's rule asks for
    sizes = np.sqrt(2 * 0.5 * rate / (3 * volume)) * np.array(noise) * np.array([1, 1, 1, *[np.sqrt(0.5)] * 3])
    for (i, j), one in zip(COMPONENTS, sizes, strict=True):
        wanted[i, j] += one
        wanted[j, i] = wanted[i, j]
    if shape == ISO:
        noise_of_volume = np.sqrt(2 * 0.5 * rate / volume) * noise[0]
        wanted = (rate * (mean + 1.0 + 0.5 / volume) + noise_of_volume) / 3 * np.eye(3)
    elif shape == ANISO:
        wanted = np.diag(np.diag(wanted))
    assert np.abs(strain - wanted).max() < 2 * np.abs(strain).max() ** 2


def test_the_energy_of_a_change() -> None:
    random = np.random.default_rng(6)
    law = _core.CellRescaling(TRI, damp=1.0, modulus=2000.0)
    change = law.change(CELL, [1.0, 2, -1, 0.5, 3, 1], target=0.3, kT=0.01, time=1.0, noise=_core.box_noise(1, 1, 1))
    v = random.normal(size=(9, 3))
    after = v @ np.array(change.velocities)
    gained = _core.energy_of_change(change, six(v.T @ v), [0.0] * 6)
    assert gained == pytest.approx(0.5 * ((after**2).sum() - (v**2).sum()), rel=1e-12)
    # a box with the energy |h|^2 / 2, as above
    gained = _core.energy_of_change(change, [0.0] * 6, six(-CELL.T @ CELL))
    exact = 0.5 * ((np.array(change.cell) ** 2).sum() - (CELL**2).sum())
    assert gained == pytest.approx(exact, rel=0.03) and abs(exact) > 1e-4


def test_noise_is_a_function_of_the_step() -> None:
    drawn = np.array([_core.box_noise(step, 3, 9) for step in range(3, 9000, 3)])
    one = [normal3(np.arange(2), step, 9, Stream.BOX).ravel() for step in (6, 9)]
    assert np.allclose(drawn[2], np.mean(one, axis=0))
    assert np.abs(drawn.mean(0)).max() < 0.05
    assert np.abs(np.cov(drawn.T) - 0.5 * np.eye(6)).max() < 0.05
    assert np.abs((drawn[1:].T @ drawn[:-1]) / len(drawn) - 0.25 * np.eye(6)).max() < 0.05
    assert not np.allclose(drawn[0], _core.box_noise(3, 3, 10))


@pytest.mark.parametrize(
    ("damp", "modulus", "pressure", "says"),
    [
        (0.0, 1.0, 0.0, "the damping time is 0: give one above 0"),
        (float("nan"), 1.0, 0.0, "the damping time is nan"),
        (1.0, -2.0, 0.0, "the modulus is -2: give one above 0, in units of pressure"),
        (
            1.0,
            1.0,
            9.0,
            "the internal pressure is 9, the target 0: the box would change by a strain of .* at once: use",
        ),
        (1.0, 1.0, -9.0, "the box would change by a strain of -inf at once"),
        (1.0, 1.0, float("nan"), "the internal pressure is nan"),
    ],
)
def test_what_makes_no_sense(damp: float, modulus: float, pressure: float, says: str) -> None:
    with pytest.raises(VitrifyError, match=says):
        _core.CellRescaling(ISO, damp=damp, modulus=modulus).change(
            np.eye(3), [pressure] * 3 + [0.0] * 3, target=0.0, kT=0.0, time=1.0, noise=[0.0] * 6
        )


def test_densities_far_beyond_the_training_data() -> None:
    refuse = _core.refuse_density
    assert not any(refuse(density, 0.05, 0.06) for density in (0.0376, 0.05, 0.0749))
    assert refuse(0.0751, 0.05, 0.06).startswith("the number density is 0.0751, far outside the 0.05 to 0.06")
    assert refuse(0.0374, 0.05, 0.06) and not refuse(7.0, 0.0, 0.0)


def test_moduli_are_those_of_stiff_systems() -> None:
    assert _core.default_modulus("metal") == 1e6 and _core.default_modulus("lj") == 100
