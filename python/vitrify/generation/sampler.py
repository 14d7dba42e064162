"""The sampler in Python: from noise to a structure in equal steps, for any network and process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vitrify.core.compiled import _core
from vitrify.generation.processes import Noise, Process, State

# Outputs (N, 3) and (N, kinds) of a network for a structure, a time and the length of the step.
Network = Callable[[State, float, float], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Steps:
    """Settings of the sampler.

    number: of steps. stochastic: add noise in each step, where the process has some. churn: the share of noise that is
    put back before each step but the first (flows only). spread: size of the noise at time 1, in the unit of length.
    """

    number: int
    stochastic: bool = False
    churn: float = 0.0
    spread: float = 0.0


def sample(network: Network, process: Process, state: State, steps: Steps, seed: int) -> State:
    """The structure at time 0 that follows from `state`, the noise at time 1; each step finds neighbours anew."""
    n = steps.number
    for k in range(n):
        time, end = 1.0 - k / n, 1.0 - (k + 1) / n
        if k > 0 and steps.churn > 0:
            state, time = _churned(state, time, steps, k, seed)
        time = min(time, process.latest)
        if time <= end:  # with very many steps, the first ones end above the latest time of the network
            continue
        dx, de = network(state, time, time - end)
        noise = Noise(seed, k) if steps.stochastic and k + 1 < n else None
        state = process.advance(state, time, time - end, dx, de, noise)
    return state


def _churned(state: State, time: float, steps: Steps, k: int, seed: int) -> tuple[State, float]:
    """The structure with more noise, and the time nearer to 1 to which this amount of noise belongs."""
    positions, later = _core.put_back_noise(state.positions, time, steps.churn, steps.spread, k, seed)
    return State(state.cell, positions, state.elements), later
