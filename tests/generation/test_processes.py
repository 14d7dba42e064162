"""Noise, schedules and samplers against what is known exactly: even sites, delta and Gaussian data, linear flows."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from toy_samples import jittered
from vitrify.amshortcut.training.task import AMShortcutTask, Draw
from vitrify.core.compiled import _core
from vitrify.generation.processes import (
    Flow,
    MaterialODE,
    MaterialSDE,
    Noise,
    PaperShortcut,
    State,
    matched,
    minimum_image,
)
from vitrify.generation.sampler import Steps, sample
from vitrify.graphs.neighbours import neighbour_list

CELLS = {
    "cube": np.eye(3),
    "long": np.diag([0.5, 1.0, 2.0]),
    "oblique": np.array([[1.0, 0, 0], [0.45, 1.0, 0], [-0.4, 0.45, 1.0]]),
    "left-handed": np.array([[0, 1.0, 0], [1.0, 0.2, 0], [0.1, 0.3, 1.0]]),
}


def scaled(shape: str, n: int, density: float = 0.05) -> np.ndarray:
    cell = CELLS[shape]
    return cell * (n / density / abs(np.linalg.det(cell))) ** (1 / 3)


def structure_factor(positions: np.ndarray, cell: np.ndarray, largest: int = 2) -> float:
    """The mean of S(q) over the longest waves that fit into the cell."""
    waves = [w for w in product(range(-largest, largest + 1), repeat=3) if any(w)]
    phases = 2j * np.pi * (positions @ np.linalg.inv(cell)) @ np.array(waves).T
    return float((np.abs(np.exp(phases).sum(0)) ** 2).mean() / len(positions))


def nearest(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The distance of each atom to its nearest neighbour."""
    pairs, vectors = neighbour_list(positions, cell, 8.0)
    found = np.full(len(positions), np.inf)
    np.minimum.at(found, pairs[0], np.linalg.norm(vectors, axis=1))
    return found


@pytest.mark.parametrize("shape", CELLS)
@pytest.mark.parametrize("n", [1, 2, 7, 997, 1000])
def test_the_lattice_fills_any_cell_evenly(shape, n):
    cell = scaled(shape, n)
    sites = _core.lattice(cell, n, seed=3)
    fractional = sites @ np.linalg.inv(cell)
    assert sites.shape == (n, 3)
    assert fractional.min() > -1e-9
    assert fractional.max() < 1 + 1e-9
    assert not np.array_equal(sites, _core.lattice(cell, n, seed=4))
    np.testing.assert_array_equal(sites, _core.lattice(cell, n, seed=3))
    if n < 100:
        return
    random = np.random.default_rng(0).random((n, 3))
    assert structure_factor(sites, cell) < 0.02
    assert structure_factor(random @ cell, cell) > 0.8
    # counts in 8 parts of the cell: random sites have a spread of sqrt(n / 8) = 11
    counts = np.histogramdd(fractional % 1.0, bins=2, range=[(0, 1)] * 3)[0]
    assert counts.std() < 0.4 * math.sqrt(n / 8)
    assert nearest(sites, cell).min() > 0.6 * 20 ** (1 / 3)
    # with its noise too, the start keeps most of the evenness
    flow, types = Flow(1, spread=1.2), np.zeros(n, int)
    found = np.mean([structure_factor(flow.start(cell, types, k).positions, cell, largest=1) for k in range(4)])
    waves = 2 * np.pi * np.array([w for w in product((-1, 0, 1), repeat=3) if any(w)]) @ np.linalg.inv(cell).T
    assert found == pytest.approx(np.mean(1 - np.exp(-(1.2**2) * (waves**2).sum(1))), rel=0.5)


def test_each_species_starts_evenly_wherever_its_atoms_stand_in_the_list():
    types = np.random.default_rng(0).permutation(np.repeat([0, 2], [300, 700]))
    cell = scaled("cube", len(types))
    state = Flow(3, 1e-9).start(cell, types, 1)
    np.testing.assert_array_equal(state.elements.sum(0), [300, 0, 700])
    np.testing.assert_array_equal(state.elements.argmax(1), types)
    for kind in (0, 2):
        assert structure_factor(state.positions[types == kind], cell) < 0.02
    one, other = _core.lattice(cell, 300, 1, species=0), _core.lattice(cell, 300, 1, species=2)
    assert np.abs(minimum_image(one - other, cell)).mean() > 0.1


def images(vector: np.ndarray, cell: np.ndarray) -> float:
    """The smallest squared length over all images."""
    return min(float(((vector + np.array(k) @ cell) ** 2).sum()) for k in product(range(-3, 4), repeat=3))


def test_minimum_image_is_the_shortest():
    cell, rng = np.diag([5.0, 6.0, 7.0]), np.random.default_rng(0)
    vectors = rng.uniform(-15, 15, (50, 3))
    short = minimum_image(vectors, cell)
    np.testing.assert_allclose((short**2).sum(1), [images(v, cell) for v in vectors])
    turns = (vectors - short) @ np.linalg.inv(cell)
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)


def test_matching_is_the_best_of_all_pairings():
    cell, rng = np.diag([5.0, 6.0, 7.0]), np.random.default_rng(2)
    for _ in range(10):
        sites, positions = rng.random((2, 5, 3)) @ cell
        types = np.array([0, 1, 0, 1, 0])
        found = matched(sites, positions, types, cell)
        allowed = [p for p in permutations(range(5)) if all(types[a] == types[b] for a, b in enumerate(p))]
        costs = [sum(images(sites[b] - positions[a], cell) for a, b in enumerate(p)) for p in allowed]
        assert (found**2).sum() == pytest.approx(min(costs), rel=1e-6)


def test_matching_uses_each_site_once_and_keeps_types():
    positions, cell, types = jittered(4)
    sites = _core.lattice(cell, len(types), 1)
    found = matched(sites, positions, types, cell)
    random = minimum_image(sites - positions, cell)
    assert (found**2).sum() < 0.3 * (random**2).sum()
    for kind in (0, 1):  # the sites that atoms of a species go to are those that stand where the species does
        reached, wanted = (positions + found)[types == kind], sites[types == kind]
        apart = minimum_image(reached[:, None] - wanted[None], cell)
        closest = np.sqrt((apart**2).sum(2))
        assert closest.min(0).max() < 1e-9
        assert closest.min(1).max() < 1e-9


def collected(process, cell, positions, types, repeats: int) -> tuple[list[State], list[State]]:
    """States of `noised` at time 1, and of `start`."""
    rng = np.random.default_rng(8)
    ends = [process.noised(cell, positions, types, 1.0, rng)[0] for _ in range(repeats)]
    return ends, [process.start(cell, types, 1000 + k) for k in range(repeats)]


def assert_alike(ends: list[State], starts: list[State]) -> None:
    """Two-sample tests of fractional coordinates, nearest neighbours and elements."""
    for function in (
        lambda s: (s.positions @ np.linalg.inv(s.cell) % 1.0).ravel(),
        lambda s: nearest(s.positions, s.cell),
        lambda s: s.elements.ravel(),
    ):
        one, other = (np.concatenate([function(s) for s in states]) for states in (ends, starts))
        assert ks_2samp(one, other).pvalue > 1e-3


def test_data_with_all_noise_are_the_start_of_the_flow():
    positions, cell, types = jittered(4)
    assert_alike(*collected(Flow(2, 1.2), cell, positions, types, 30))


def test_data_with_all_noise_are_the_start_of_the_material_ode():
    positions, cell, types = jittered(4)
    assert_alike(*collected(MaterialODE(2), cell, positions, types, 30))


def test_data_with_all_noise_are_the_start_of_the_material_sde_in_a_small_cell():
    """In a cell of 3.2, noise of 1.7 A reaches everywhere; in a large one it does not, which the flow mends."""
    cell, types = 3.2 * np.eye(3), np.array([0, 1])
    positions = np.array([[0.3, 0.2, 0.1], [2.0, 1.7, 1.5]])
    assert_alike(*collected(MaterialSDE(2), cell, positions, types, 600))
    positions, cell, types = jittered(8)
    ends, starts = collected(MaterialSDE(2), cell, positions, types, 1)
    assert structure_factor(ends[0].positions, cell, 1) < 0.3
    assert structure_factor(starts[0].positions, cell, 1) > 0.5


# Data that are one structure: the exact answers are known.


def exact_delta(process, cell, positions, types):
    """What a perfect network answers when all data are one structure."""
    e = process.one_hot(types)

    def network(state: State, time: float, step: float):
        if isinstance(process, MaterialSDE):
            angle = 0.5 * math.pi * time
            of_e = (state.elements - math.cos(angle) * e) / (process.scale_of_noise * math.sin(angle))
            return (state.positions - positions) / (process.spread * time), of_e
        return minimum_image(state.positions - positions, cell) / time, (state.elements - e) / time

    return network


def miss(state: State, positions, cell) -> float:
    return float(np.abs(minimum_image(state.positions - positions, cell)).max())


@pytest.mark.parametrize("number", [1, 3, 20])
def test_the_material_ode_returns_data_that_are_one_structure(number):
    positions, cell, types = jittered()
    process = MaterialODE(2)
    start = process.start(cell, types, 5)
    found = sample(exact_delta(process, cell, positions, types), process, start, Steps(number), seed=1)
    assert miss(found, positions, cell) < 1e-9
    np.testing.assert_allclose(found.elements, process.one_hot(types), atol=1e-9)


@pytest.mark.parametrize("stochastic", [False, True], ids=["ode", "sde"])
@pytest.mark.parametrize("kind", [MaterialSDE, PaperShortcut])
def test_the_material_sde_returns_data_that_are_one_structure(kind, stochastic):
    positions, cell, types = jittered()
    process = kind(2)
    start = process.start(cell, types, 5)
    network = exact_delta(process, cell, positions, types)
    found = sample(network, process, start, Steps(400, stochastic), seed=1)
    assert miss(found, positions, cell) < 1e-6
    np.testing.assert_allclose(found.elements, process.one_hot(types), atol=0.02)


@pytest.mark.parametrize("number", [1, 4])
def test_the_flow_returns_data_that_are_one_structure(number):
    """Churn too: noise that is put back is taken out again."""
    positions, cell, types = jittered()
    process = Flow(2, 1.0)
    state = process.start(cell, types, 5)
    network = exact_delta(process, cell, positions, types)
    found = sample(network, process, state, Steps(number, churn=0.3, spread=1.0), seed=1)
    assert miss(found, positions, cell) < 1e-9


# Gaussian data around a point in a cell without end: the marginals at all times are Gaussians.

WIDTH, WIDTH_E = 0.5, 0.3  # of the data


def marginal(process, time: float) -> tuple[float, float, float]:
    """Variance of the positions; mean (of an element that is 1 in the data) and variance of the elements."""
    angle, c = 0.5 * math.pi * time, process.scale_of_noise
    variance_e = (math.cos(angle) * WIDTH_E) ** 2 + (c * math.sin(angle)) ** 2
    return WIDTH**2 + (process.spread * time) ** 2, math.cos(angle), variance_e


def exact_gaussian(process):
    def network(state: State, time: float, step: float):
        variance, mean, variance_e = marginal(process, time)
        of_x = process.spread * time * state.positions / variance
        size = process.scale_of_noise * math.sin(0.5 * math.pi * time)
        return of_x, size * (state.elements - mean) / variance_e

    return network


def gaussian_state(process, time: float, n: int) -> State:
    variance, mean, variance_e = marginal(process, time)
    noise = Noise(seed=77, step=5000)
    elements = mean + math.sqrt(variance_e) * noise.elements(n, process.kinds)
    return State(np.eye(3) * 1e6, math.sqrt(variance) * noise.vectors(n), elements)


@pytest.mark.parametrize("stochastic", [False, True], ids=["ode", "sde"])
def test_exact_scores_turn_noise_into_gaussian_data(stochastic):
    process, n = MaterialSDE(2), 8_000
    state = gaussian_state(process, process.latest, n)
    found = sample(exact_gaussian(process), process, state, Steps(250, stochastic), seed=3)
    assert found.positions.std() == pytest.approx(WIDTH, rel=0.03)
    assert found.positions.mean() == pytest.approx(0.0, abs=0.02)
    assert found.elements.std() == pytest.approx(WIDTH_E, rel=0.04)
    assert found.elements.mean() == pytest.approx(1.0, abs=0.02)


class Balanced(Noise):
    """Noise of variance one exactly, whose second half is the first with the other sign."""

    def vectors(self, n: int) -> np.ndarray:
        return balanced(super().vectors(n // 2))

    def elements(self, n: int, kinds: int) -> np.ndarray:
        return balanced(super().elements(n // 2, kinds))


def balanced(half: np.ndarray) -> np.ndarray:
    both = np.concatenate([half, -half])
    return both / both.std()


@pytest.mark.parametrize("time", [0.2, 0.5, 0.9])
def test_a_small_step_keeps_to_the_marginals_with_and_without_noise(time):
    """The drift with noise is another one than without, and both have the same mean and variance in the ensemble."""
    process, step = MaterialSDE(2), 1e-5
    before, after = marginal(process, time), marginal(process, time - step)
    noise = Noise(seed=77, step=5000)
    positions, elements = balanced(noise.vectors(500)), balanced(noise.elements(500, process.kinds))
    positions, elements = np.tile(positions, (2, 1)), np.tile(elements, (2, 1))  # each with noise of both signs
    state = State(np.eye(3) * 1e6, math.sqrt(before[0]) * positions, before[1] + math.sqrt(before[2]) * elements)
    answer = exact_gaussian(process)(state, time, 0.0)
    for kind in (None, Balanced(9, 4)):
        found = process.advance(state, time, step, *answer, kind)
        reached = found.positions.var(), found.elements.mean(), found.elements.var()
        np.testing.assert_allclose(np.subtract(reached, before), np.subtract(after, before), rtol=0.02)


@pytest.mark.parametrize("process", [Flow(2, 1.0), MaterialODE(2), MaterialSDE(2), PaperShortcut(2)])
def test_velocities_and_steps_and_answers_agree(process):
    positions, cell, types = jittered()
    rng = np.random.default_rng(0)
    state, *answer = process.noised(cell, positions, types, 0.6, rng)
    v, w = process.velocity(state, 0.6, *answer)
    after = process.advance(state, 0.6, 0.01, *answer, None)
    np.testing.assert_allclose((state.positions - after.positions) / 0.01, v, atol=1e-9)
    np.testing.assert_allclose((state.elements - after.elements) / 0.01, w, atol=1e-9)
    for back, given in zip(process.answer(state, 0.6, v, w), answer, strict=True):
        np.testing.assert_allclose(back, given, atol=1e-12)


@pytest.mark.parametrize("process", [MaterialODE(2), MaterialSDE(2)])
def test_data_with_noise_move_as_their_answer_says(process):
    """The velocity is the time derivative of a structure whose noise stays as it is."""
    positions, cell, types = jittered()
    states = [process.noised(cell, positions, types, t, np.random.default_rng(1))[0] for t in (0.4, 0.4001)]
    state, *answer = process.noised(cell, positions, types, 0.40005, np.random.default_rng(1))
    v, w = process.velocity(state, 0.40005, *answer)
    np.testing.assert_allclose((states[1].positions - states[0].positions) / 1e-4, v, atol=1e-5)
    np.testing.assert_allclose((states[1].elements - states[0].elements) / 1e-4, w, atol=1e-5)


def test_noise_is_normal_and_differs_by_step_seed_and_column():
    noise = Noise(4, 17)
    found = noise.elements(20_000, 5)
    assert found.shape == (20_000, 5)
    np.testing.assert_allclose(np.cov(np.hstack([found, noise.vectors(20_000)]).T), np.eye(8), atol=0.04)
    assert not np.allclose(found, Noise(4, 18).elements(20_000, 5))
    assert not np.allclose(found, Noise(5, 17).elements(20_000, 5))
    np.testing.assert_array_equal(found[:50], noise.elements(50, 5))


# Long steps: the mean velocity of two halves is that of the whole.


class Exact(AMShortcutTask):
    """A task whose network is a function of the states."""

    def __init__(self, process, network, shortest: float) -> None:
        model = torch.nn.Linear(1, 1).double()
        model.shortest = shortest
        super().__init__(model, process)
        self.network, self.asked = network, []

    def answers(self, draws, states, times, steps):
        self.asked += list(steps)
        found = [self.network(s, t, h) for s, t, h in zip(states, times, steps, strict=True)]
        return tuple(torch.as_tensor(np.concatenate(part)) for part in zip(*found, strict=True))


def along(process, solution):
    """The answer that means the mean velocity over a step, for a solution(state, time, later) of the equation."""

    def network(state: State, time: float, step: float):
        step = max(step, 1e-6)
        positions, elements = solution(state, time, time - step)
        v, w = (state.positions - positions) / step, (state.elements - elements) / step
        return process.answer(state, time, v, w)

    return network


def growing(state: State, time: float, later: float):
    """dx/dt = 0.7 x: a linear flow."""
    factor = math.exp(0.7 * (later - time))
    return factor * state.positions, factor * state.elements


def to_one_structure(process, positions, elements):
    """The probability flow of the material SDE, for data that are one structure."""

    def solution(state: State, time: float, later: float):
        a, b = 0.5 * math.pi * time, 0.5 * math.pi * later
        rest = (state.elements - math.cos(a) * elements) / math.sin(a)
        return positions + (state.positions - positions) * later / time, math.cos(b) * elements + math.sin(b) * rest

    return solution


@pytest.mark.parametrize("name", ["flow", "shortcut"])
@pytest.mark.parametrize(("time", "step"), [(0.5, 0.25), (0.9, 0.6), (0.99, 0.99)])
def test_two_halves_of_an_exact_flow_are_the_whole(name, time, step):
    positions, cell, types = jittered()
    process = Flow(2, 1.0) if name == "flow" else PaperShortcut(2)
    state, *plain = process.noised(cell, positions, types, time, np.random.default_rng(0))
    solution = growing if name == "flow" else to_one_structure(process, positions, process.one_hot(types))
    network = along(process, solution)
    task = Exact(process, network, shortest=1 / 128)
    nothing = np.empty(0)
    draws = [Draw(state, time, h, *plain, nothing, nothing) for h in (step, 0.0)]
    got_x, got_e = (part.split(len(types)) for part in task.targets(draws))
    for got, want in zip((got_x[0], got_e[0]), network(state, time, step), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-9)
    for got, want in zip((got_x[1], got_e[1]), plain, strict=True):
        np.testing.assert_array_equal(got, want)
    assert task.asked == [step / 2, step / 2]
    task.shortest = step
    task.targets(draws)
    assert task.asked[2:] == [0.0, 0.0]  # halves below the shortest step are taken with the velocity itself
