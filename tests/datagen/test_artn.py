"""Saddle searches on surfaces and in a crystal whose saddles are known otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from vitrify.datagen.barriers.artn import ARTnSettings, SearchResult, participation_ratio, search
from vitrify.datagen.barriers.lanczos import lowest_mode
from vitrify.datagen.barriers.lbfgs import largest, relax
from vitrify.datagen.barriers.local_sampling import SamplingSettings, string_barrier
from vitrify.datagen.barriers.region import Boxes, Glass, Region, minimise_glass

PLANE = ARTnSettings(
    push=0.1, push_radius=9.0, push_relaxations=4, climb=0.05, turn=0.05, lanczos_displacement=1e-4, nudge=0.05,
    longest=0.05, home=0.05, force_tolerance=0.005, minimum_tolerance=1e-3, stiffness=10.0, lanczos_tolerance=0.1,
)  # fmt: skip

Surface = Callable[[np.ndarray], tuple[float, np.ndarray]]


class PlaneSurface:
    """A surface over the plane as a surface of displacements (1, 2) from `start`."""

    def __init__(self, surface: Surface, start: np.ndarray) -> None:
        self.surface, self.start, self.calls = surface, np.asarray(start, float), 0
        self.base = surface(self.start)[0]

    def __call__(self, displacements: np.ndarray) -> tuple[float, np.ndarray]:
        self.calls += 1
        energy, gradient = self.surface(self.start + displacements[0])
        return energy - self.base, -gradient[None]

    def project(self, vectors: np.ndarray) -> np.ndarray:
        return vectors


def double_well(x: np.ndarray) -> tuple[float, np.ndarray]:
    """(x^2 - 1)^2 + 2 (y - x^2 / 2)^2: minima at x = -1 and 1, the saddle between them at the origin, 1 above."""
    bend = x[1] - 0.5 * x[0] ** 2
    energy = (x[0] ** 2 - 1.0) ** 2 + 2.0 * bend**2
    return float(energy), np.array([4.0 * x[0] * (x[0] ** 2 - 1.0) - 4.0 * bend * x[0], 4.0 * bend])


def mueller_brown(x: np.ndarray) -> tuple[float, np.ndarray]:
    """The surface of Mueller and Brown, Theor. Chim. Acta 53, 75 (1979), over 100."""
    height = np.array([-200.0, -100.0, -170.0, 15.0]) / 100.0
    a, b, c = np.array([-1.0, -1.0, -6.5, 0.7]), np.array([0.0, 0.0, 11.0, 0.6]), np.array([-10.0, -10.0, -6.5, 0.7])
    dx, dy = x[0] - np.array([1.0, 0.0, -0.5, -1.0]), x[1] - np.array([0.0, 0.5, 1.5, 1.0])
    terms = height * np.exp(a * dx**2 + b * dx * dy + c * dy**2)
    return float(terms.sum()), np.array([terms @ (2 * a * dx + b * dy), terms @ (b * dx + 2 * c * dy)])


def on_plane(surface: PlaneSurface, seed: int) -> SearchResult:
    rng = np.random.default_rng(seed)
    push = rng.normal(size=(1, 2))
    return search(surface, push / largest(push), PLANE, rng)


def test_the_saddle_of_a_bent_double_well_is_found_to_a_thousandth() -> None:
    found = [on_plane(PlaneSurface(double_well, np.array([-1.0, 0.5])), seed) for seed in range(10)]
    accepted = [f for f in found if f.outcome == "accepted"]
    assert len(accepted) >= 3  # half of the pushes go up the wall behind
    for f in accepted:
        assert f.barrier == pytest.approx(1.0, abs=1e-3)
        assert f.energy_change == pytest.approx(0.0, abs=1e-3)
        assert f.saddle is not None and f.minimum is not None
        assert f.saddle[0] == pytest.approx([1.0, -0.5], abs=0.01)
        assert f.minimum[0] == pytest.approx([2.0, 0.0], abs=0.01)
        assert f.curvature == pytest.approx(-4.0, abs=0.1)


def test_published_saddles_of_the_mueller_brown_surface() -> None:
    """Minima -1.4670, -1.0817 and -0.8077; saddles -0.4066 and -0.7225 (Mueller and Brown, over 100)."""
    start = np.array([-0.558224, 1.441726])
    assert mueller_brown(start)[0] == pytest.approx(-1.46700, abs=1e-4)
    found = [on_plane(PlaneSurface(mueller_brown, start), seed) for seed in range(16)]
    accepted = [f.barrier for f in found if f.outcome == "accepted"]
    assert len(accepted) >= 2
    assert accepted == pytest.approx([1.46700 - 0.40665] * len(accepted), abs=1e-3)

    middle = np.array([-0.050011, 0.466694])
    found = [on_plane(PlaneSurface(mueller_brown, middle), seed) for seed in range(12)]
    barriers = {round(f.barrier, 3) for f in found if f.outcome == "accepted"}
    known = (0.80768 - 0.40665, 0.80768 - 0.72249)
    assert barriers and all(min(abs(b - k) for k in known) < 1.5e-3 for b in barriers)


def test_lanczos_gives_the_lowest_eigenvalue_of_a_known_hessian() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(30, 30))
    hessian = root @ root.T / 30 - 0.5 * np.eye(30)
    values, vectors = np.linalg.eigh(hessian)

    def surface(u: np.ndarray) -> tuple[float, np.ndarray]:
        force = -(hessian @ u.ravel()).reshape(10, 3)
        return -0.5 * float(np.vdot(force, u)), force

    zero = np.zeros((10, 3))
    mode = lowest_mode(surface, zero, zero, rng.normal(size=(10, 3)), displacement=0.01, most=30, tolerance=1e-6)
    assert mode.curvature == pytest.approx(values[0], abs=1e-6)
    assert abs(np.vdot(mode.vector.ravel(), vectors[:, 0])) == pytest.approx(1.0, abs=1e-5)
    # Few vectors are enough from a good guess.
    guess = vectors[:, 0].reshape(10, 3) + 0.02 * rng.normal(size=(10, 3))
    near = lowest_mode(surface, zero, zero, guess, displacement=0.01, most=4, tolerance=1e-6)
    assert near.curvature == pytest.approx(values[0], abs=0.05)


def test_relaxation_ends_at_the_minimum_of_a_quadratic_form_and_says_so_when_it_does_not() -> None:
    stiffness = np.linspace(0.5, 20.0, 30).reshape(10, 3)
    wanted = np.random.default_rng(1).normal(size=(10, 3))

    def surface(u: np.ndarray) -> tuple[float, np.ndarray]:
        away = u - wanted
        return 0.5 * float(np.vdot(stiffness, away**2)), -stiffness * away

    limits = {"tolerance": 1e-4, "longest": 0.5, "stiffness": 8.0}
    end, energy, converged = relax(surface, np.zeros((10, 3)), most=200, **limits)
    assert converged and energy < 1e-6
    np.testing.assert_allclose(end, wanted, atol=1e-3)
    assert not relax(surface, np.zeros((10, 3)), most=3, **limits)[2]


def test_participation_ratio() -> None:
    one, all_alike = np.zeros((5, 3)), np.ones((5, 3))
    one[2] = 3.0
    assert participation_ratio(one) == pytest.approx(1.0)
    assert participation_ratio(all_alike) == pytest.approx(5.0)


def test_the_string_of_local_sampling_comes_down_to_the_saddle() -> None:
    surface = PlaneSurface(double_well, np.array([-1.0, 0.5]))
    plane = SamplingSettings(stiffness=15.0, longest=0.1, images=9)
    end = np.array([[2.0, 0.0]])
    straight, few, many = (string_barrier(surface, end, replace(plane, iterations=count))[0] for count in (0, 10, 300))
    assert straight == pytest.approx(1.5) and straight > few > many  # the straight line passes half above the saddle
    assert many == pytest.approx(1.0, abs=0.01)


POTENTIAL = ("pair_style eam", "pair_coeff 1 1 {potentials/Cu_u3.eam}")


@pytest.fixture(scope="module")
def vacancy() -> Glass:
    """A copper crystal with a vacancy in the middle of it, relaxed: 107 atoms."""
    crystal = bulk("Cu", cubic=True, a=3.615).repeat(3)
    del crystal[0]
    crystal.wrap()
    glass = Glass(
        crystal.positions, np.asarray(crystal.cell[:]), np.zeros(len(crystal), int), (63.546,), "metal", POTENTIAL
    )
    return minimise_glass(glass, 1e-4)


def test_vacancy_migration_has_the_barrier_that_symmetry_gives(vacancy: Glass) -> None:
    """The saddle of a jump is half way: an atom put there stays on the mirror plane while all else relaxes."""
    boxes = Boxes(vacancy, np.inf, 1e-3)
    hole = np.zeros(3)
    distances = np.linalg.norm(((vacancy.positions + 5.4225) % 10.845) - 5.4225 - hole, axis=1)
    jumper = int(distances.argmin())
    region = Region(boxes, jumper)
    half = np.zeros((len(region.free), 3))
    row = int(np.flatnonzero(region.free == jumper)[0])
    towards = ((hole - vacancy.positions[jumper] + 5.4225) % 10.845) - 5.4225
    half[row] = 0.5 * towards
    known = mirrored_saddle(region, half, row, towards)
    assert 0.6 < known < 0.8  # 0.67 to 0.71 eV in experiments and published EAM

    settings = replace(ARTnSettings(), force_tolerance=0.005, minimum_tolerance=1e-3, lanczos_tolerance=0.1)
    barriers = []
    for seed in range(6):
        region.restart()
        rng = np.random.default_rng(seed)
        push = np.zeros_like(half)
        push[row] = towards / np.linalg.norm(towards) + 0.3 * rng.normal(size=3)
        found = search(region, push / largest(push), settings, rng)
        if found.outcome == "accepted":
            barriers.append(found.barrier)
            check_accepted(region, found, settings)
    assert any(b == pytest.approx(known, abs=1e-3) for b in barriers), (barriers, known)
    boxes.close()


def mirrored_saddle(region: Region, half: np.ndarray, row: int, towards: np.ndarray) -> float:
    """The energy of the jump's saddle by minimisation with the jumping atom held on the mirror plane."""
    normal = towards / np.linalg.norm(towards)

    def held(u: np.ndarray) -> tuple[float, np.ndarray]:
        energy, forces = region(u)
        forces = forces.copy()
        forces[row] -= (forces[row] @ normal) * normal
        return energy, forces

    _, energy, converged = relax(held, half, tolerance=1e-3, most=500, longest=0.1, stiffness=8.0)
    assert converged
    return energy


def check_accepted(region: Region, found: SearchResult, settings: ARTnSettings) -> None:
    """One negative eigenvalue of the whole Hessian; relaxed anew, one side is the start and the other one is not."""
    assert found.saddle is not None and found.minimum is not None
    assert largest(region(found.saddle)[1]) < settings.force_tolerance
    values, vectors = np.linalg.eigh(hessian(region, found.saddle))
    moving = np.abs(values) > 1e-3  # three translations cost nothing
    assert (values[moving] < 0.0).sum() == 1 and moving.sum() == len(values) - 3
    mode = vectors[:, values.argmin()].reshape(-1, 3)
    ends = []
    for sign in (1.0, -1.0):
        limits = {"tolerance": 1e-3, "most": 500, "longest": 0.1, "stiffness": 8.0}
        end, energy, converged = relax(region, found.saddle + sign * 0.1 / largest(mode) * mode, **limits)
        assert converged
        ends.append((largest(end), energy, end))
    (near, low, _), (far, other, end) = sorted(ends, key=lambda e: e[0])
    assert near < 0.02 and abs(low) < 1e-4
    assert far > settings.home and other == pytest.approx(found.energy_change, abs=1e-4)
    np.testing.assert_allclose(end, found.minimum, atol=0.01)


def hessian(region: Region, at: np.ndarray) -> np.ndarray:
    """By central differences of the forces."""
    step, rows = 1e-3, []
    for i in range(at.size):
        shift = np.zeros(at.size)
        shift[i] = step
        shift = shift.reshape(at.shape)
        rows.append((region(at - shift)[1] - region(at + shift)[1]).ravel() / (2.0 * step))
    matrix = np.array(rows)
    return 0.5 * (matrix + matrix.T)


def test_lennard_jones_settings_are_the_metal_ones_in_other_units() -> None:
    metal, lj = ARTnSettings(), ARTnSettings.for_units("lj", most_pushes=7)
    assert lj.push == pytest.approx(metal.push / 2.7) and lj.most_pushes == 7
    assert lj.force_tolerance == pytest.approx(metal.force_tolerance * 2.7 / 0.15)
    assert lj.push_relaxations == metal.push_relaxations
