"""Sampling a generator: from noise to a structure in a number of equal steps, in torch, for any process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vitrify.core.counter_rng import normal3
from vitrify.generation.processes import CHURN, Noise, Process, State

# Answers (N, 3), (N, kinds) of a network for a structure at a time, given the length of the step.
Network = Callable[[State, float, float], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Steps:
    """How to sample. number: of steps. stochastic: noise in each step, where the process has some.

    churn: the flow's share of noise that is put back before each step but the first; spread: the size of noise at time
    1, length unit.
    """

    number: int
    stochastic: bool = False
    churn: float = 0.0
    spread: float = 0.0


def sample(network: Network, process: Process, state: State, steps: Steps, seed: int) -> State:
    """Brings `state`, noise at time 1, to time 0; each step makes its neighbour list anew."""
    n = steps.number
    for k in range(n):
        time, end = 1.0 - k / n, 1.0 - (k + 1) / n
        if k > 0 and steps.churn > 0:
            state, time = _churned(state, time, steps, k, seed)
        time = min(time, process.latest)
        if time <= end:  # the first of very many steps end where the network is not asked yet
            continue
        dx, de = network(state, time, time - end)
        noise = Noise(seed, k) if steps.stochastic and k + 1 < n else None
        state = process.advance(state, time, time - end, dx, de, noise)
    return state


def _churned(state: State, time: float, steps: Steps, k: int, seed: int) -> tuple[State, float]:
    """A structure with as much noise as there is a little earlier."""
    later = min(1.0, time * (1.0 + steps.churn))
    size = steps.spread * math.sqrt(later**2 - time**2)
    noise = normal3(np.arange(1, len(state.positions) + 1), k, seed, CHURN)
    return State(state.cell, state.positions + size * noise, state.elements), later
