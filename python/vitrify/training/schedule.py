"""The batch and the learning rate of a step, as pure functions of the state of the run."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from vitrify.training.checkpoint import Progress
from vitrify.training.config import TrainingConfig


class StepBatches:
    """Endless batches of (index, seed), from step `start` on, for one of `ranks` processes.

    Each pass over the samples has an order of its own, which follows from (seed, pass), and deals them to the ranks in
    turn. So step s of R ranks with batches of B samples takes the same R * B samples as step s of one rank with batches
    of R * B.
    """

    def __init__(
        self, n_samples: int, batch_size: int, seed: int, start: int = 0, rank: int = 0, ranks: int = 1
    ) -> None:
        self.n_samples = n_samples
        self.batch_size = batch_size
        self.seed = seed
        self.first = batch_size * (start * ranks + rank)
        self.stride = batch_size * ranks

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        passes, order, first = -1, np.empty(0, int), self.first
        while True:
            batch = []
            for position in range(first, first + self.batch_size):
                if position // self.n_samples != passes:
                    passes = position // self.n_samples
                    order = np.random.default_rng([self.seed, passes]).permutation(self.n_samples)
                sample_seed = int(np.random.SeedSequence([self.seed, position]).generate_state(1)[0])
                batch.append((int(order[position % self.n_samples]), sample_seed))
            yield batch
            first += self.stride


def fraction_done(progress: Progress, config: TrainingConfig) -> float:
    """The fraction of the run that is done, by steps or by time, whichever is further: 0 to 1."""
    by_steps = progress.step / config.max_steps if config.max_steps else 0.0
    by_time = progress.seconds / config.max_time if config.max_time else 0.0
    return min(1.0, max(by_steps, by_time))


def learning_rate(fraction: float, config: TrainingConfig) -> float:
    """The learning rate after a fraction of the run: half a cosine, or exponential (OGN paper, section 4.4 v)."""
    first, last = config.learning_rate, config.final_learning_rate
    if config.schedule == "exponential":
        return first * math.exp(math.log(last / first) * fraction)
    return last + 0.5 * (first - last) * (1.0 + math.cos(math.pi * fraction))
