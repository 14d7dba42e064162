"""One stride and the energy control, against statistics and conservation laws."""

from __future__ import annotations

import numpy as np
import pytest

import model_files
from vitrify.core.compiled import _core
from vitrify.core.counter_rng import normal3
from vitrify.core.errors import VitrifyError
from vitrify.core.units import get_units
from vitrify.ogn.step import Langevin, OGNStepper, langevin_half_step, rescale_to_energy

UNITS = get_units("metal")


def gas(n: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    masses = rng.choice([63.546, 91.224], n)
    return masses, UNITS.thermal_velocity(masses, temperature)[:, None] * rng.standard_normal((n, 3))


@pytest.fixture(scope="module")
def stepper(tmp_path_factory: pytest.TempPathFactory) -> OGNStepper:
    return OGNStepper(model_files.export(tmp_path_factory.mktemp("models") / "m.pt", dtype="float64"))


def case(stepper: OGNStepper) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    reference, species = stepper.metadata.reference, stepper.metadata.species
    types = np.array([species.index(name) for name in reference.species])
    return np.array(reference.positions), np.array(reference.velocities), np.array(reference.cell), types


def test_a_step_adds_the_prediction(stepper: OGNStepper) -> None:
    positions, velocities, cell, types = case(stepper)
    r, v = stepper.step(positions, velocities, cell, types)
    assert np.allclose(r, positions + np.array(stepper.metadata.reference.dr), rtol=0, atol=1e-12)
    assert np.allclose(v, velocities + np.array(stepper.metadata.reference.dv), rtol=0, atol=1e-12)


def test_images_do_not_matter(stepper: OGNStepper) -> None:
    positions, velocities, cell, types = case(stepper)
    shift = np.random.default_rng(1).integers(-3, 4, positions.shape) @ cell
    r, v = stepper.step(positions, velocities, cell, types)
    r_far, v_far = stepper.step(positions + shift, velocities, cell, types)
    assert np.allclose(r_far - shift, r, atol=1e-10) and np.allclose(v_far, v, atol=1e-9)


def test_a_small_cell_moves_as_its_replicated_self(stepper: OGNStepper) -> None:
    positions, velocities, cell, types = case(stepper)
    shifts = np.stack(np.meshgrid(*[range(2)] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    r, v = stepper.step(positions, velocities, cell, types)
    large = (positions[None] + shifts[:, None]).reshape(-1, 3)
    r_large, v_large = stepper.step(large, np.tile(velocities, (8, 1)), 2 * cell, np.tile(types, 8))
    assert np.allclose(r_large, (r[None] + shifts[:, None]).reshape(-1, 3), atol=1e-10)
    assert np.allclose(v_large, np.tile(v, (8, 1)), atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda r, v, c, t: (np.where(np.arange(len(r))[:, None] == 3, np.nan, r), v, c, t),
            "velocity of atom 4 is not a number before",
        ),
        (lambda r, v, c, t: (r, v * np.inf, c, t), "velocity of atom 1 is not a number before"),
        (lambda r, v, c, t: (r, v[:-1], c, t), "31 velocities"),
        (lambda r, v, c, t: (r, v, 0 * c, t), "no volume"),
        (lambda r, v, c, t: (r, v, c, t + 1), "counted from 0"),
        (lambda r, v, c, t: (r, v, c, t * 1.0), "integers"),
    ],
)
def test_bad_input_is_one_clear_error(change: object, message: str, stepper: OGNStepper) -> None:
    with pytest.raises(VitrifyError, match=message):
        stepper.step(*change(*case(stepper)))  # type: ignore[operator]


def test_rescaling_reaches_the_energy_and_keeps_momentum() -> None:
    masses, velocities = gas(200, 1500.0)
    velocities += np.array([1.0, -2.0, 0.5])
    kinetic = UNITS.kinetic_energy(masses, velocities)
    scaled = rescale_to_energy(velocities, masses, potential=-700.0, total=kinetic * 1.1 - 700.0, units=UNITS)
    assert UNITS.kinetic_energy(masses, scaled) == pytest.approx(1.1 * kinetic, rel=1e-12)
    assert np.allclose(masses @ scaled, masses @ velocities, rtol=1e-12)


def test_rescaling_never_takes_the_root_of_a_negative_number() -> None:
    masses, velocities = gas(50, 1500.0)
    with pytest.raises(VitrifyError, match="left its range"):
        rescale_to_energy(velocities, masses, potential=1e6, total=0.0, units=UNITS)
    with pytest.raises(VitrifyError, match="left its range"):
        rescale_to_energy(np.zeros((50, 3)), masses, potential=0.0, total=1.0, units=UNITS)
    with pytest.raises(VitrifyError, match="left its range"):
        rescale_to_energy(velocities, masses, potential=np.nan, total=1.0, units=UNITS)


def test_philox_is_the_published_generator() -> None:
    """Known answers of Random123, the authors' library: all zeros, all ones, digits of pi."""
    ones = 0xFFFFFFFF
    for counter, key, expected in (
        ([0, 0, 0, 0], (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([ones] * 4, (ones, ones), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ):
        words = _core.philox(np.array([counter], dtype=np.uint32), *key)[0]
        assert " ".join(f"{int(word):08x}" for word in words) == expected


def test_noise_is_normal_and_independent() -> None:
    noise = normal3(np.arange(1, 100_001), step=7, seed=42, stream=1)
    assert np.abs(noise.mean(0)).max() < 0.015 and np.abs(np.cov(noise.T) - np.eye(3)).max() < 0.02
    assert np.abs((noise**4).mean(0) - 3).max() < 0.15
    for other in (normal3(np.arange(1, 100_001), 8, 42, 1), normal3(np.arange(1, 100_001), 7, 42, 0)):
        assert abs(np.mean(noise * other)) < 0.01
    assert np.array_equal(normal3(np.array([5, 3]), 7, 42, 1), noise[[4, 2]])


@pytest.mark.parametrize("ratio", [0.05, 1.0, 20.0])
def test_langevin_equilibrium_is_maxwells(ratio: float) -> None:
    """From a cold start, both species reach T, whatever the ratio of timestep to damping time."""
    masses, velocities = gas(4000, 1.0)
    thermostat, ids = Langevin(1500.0, 0.05, 3), np.arange(1, 4001)
    for step in range(int(np.ceil(10 / ratio))):
        noise = normal3(ids, step, thermostat.seed, 0)
        velocities = langevin_half_step(velocities, masses, ratio * 0.05, thermostat, UNITS, noise)
    for mass in np.unique(masses):
        mine = masses == mass
        n = 3 * int(mine.sum())
        temperature = UNITS.temperature_of(masses[mine], velocities[mine], n_dof=n)
        assert temperature == pytest.approx(1500.0, rel=4.5 * np.sqrt(2 / n))  # 4.5 standard errors


def test_langevin_half_steps_compose_exactly() -> None:
    """Two quarter steps have the mean and the variance of one half-step: the solution is exact."""
    masses, velocities = np.full(200_000, 63.546), np.full((200_000, 3), 7.0)
    thermostat, ids = Langevin(1500.0, 0.02, 1), np.arange(200_000)
    once = langevin_half_step(velocities, masses, 0.02, thermostat, UNITS, normal3(ids, 0, 1, 0))
    twice = velocities
    for stream in (0, 1):
        noise = normal3(ids, 1, thermostat.seed, stream)
        twice = langevin_half_step(twice, masses, 0.01, thermostat, UNITS, noise)
    sigma2 = float(UNITS.thermal_velocity(masses[:1], 1500.0)[0] ** 2)
    for result in (once, twice):
        assert result.mean() == pytest.approx(7.0 * np.exp(-0.5), rel=5e-3)
        assert result.var() == pytest.approx(sigma2 * (1 - np.exp(-1.0)), rel=1e-2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [((-1.0, 1.0, 1), "temperature"), ((1.0, 0.0, 1), "damp"), ((1.0, 1.0, -1), "seed")],
)
def test_langevin_settings_are_checked(settings: tuple[float, float, int], message: str) -> None:
    with pytest.raises(VitrifyError, match=message):
        Langevin(*settings)
