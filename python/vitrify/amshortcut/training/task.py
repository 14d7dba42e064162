"""The training task of a generator: glasses with noise of all sizes, and its short steps as targets of longer ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitrify.amshortcut.models.base import AMShortcut
from vitrify.data.samples import Sample
from vitrify.generation.processes import Process, State
from vitrify.graphs.neighbours import neighbour_list
from vitrify.training.task import Task

LEAST_TIME = 0.01  # at earlier times there is next to no noise to learn from
Pair = tuple[np.ndarray, np.ndarray]
_ELEMENTS = 0.5  # weight of the elements in the loss (paper, eqs. 8 and 10)


@dataclass(frozen=True)
class Draw:
    """A structure with noise, and the inputs and targets of the network there.

    time: in [0, 1]. step: 0 for the velocity at `time`; otherwise the length of a step, whose target is the mean of two
    halves. target_x (N, 3), target_e (N, kinds): targets of step 0. properties: (P,) in their units. known: (P,), 1
    where a property is given, otherwise 0.
    """

    state: State
    time: float
    step: float
    target_x: np.ndarray
    target_e: np.ndarray
    properties: np.ndarray
    known: np.ndarray

    def to(self, device: Any, **_: Any) -> Draw:
        """Returns itself, since tensors are moved when graphs are built. Fabric calls this."""
        return self


class Draws:
    """A data set for the training loop: data[index, seed] are some draws of one sample with one noise.

    times: number of these draws; there are several, since noise that is matched to a sample costs as much as the
    network. shortcuts: share of the draws with a step. shortest: shortest step. null: probability that a property is
    not given. density: number of ghosts and atoms per volume, for processes with ghosts. middle: share of the times
    that are drawn preferably near the middle.
    """

    def __init__(
        self, samples: Sequence[Sample], process: Process, *, shortcuts: float, shortest: float, null: float,
        density: float | None, middle: float = 0.0, times: int = 1,
    ) -> None:  # fmt: skip
        self.samples, self.process, self.middle, self.times = samples, process, middle, times
        self.shortcuts, self.shortest, self.null, self.density = shortcuts, shortest, null, density

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> list[Draw]:
        index, seed = key
        random = np.random.default_rng([seed, index])
        sample = self.samples[index]
        positions, types = self._with_ghosts(sample, random)
        glass = State(sample.cell, positions, self.process.one_hot(types))
        x, e = self.process.noise(sample.cell, positions, types, random)
        draws = []
        for _ in range(self.times):
            time, step = self._times(random)
            known = ~np.isnan(sample.properties) & (random.random(len(sample.properties)) >= self.null)
            state = self.process.along(glass, x, e, time)
            draws.append(Draw(state, time, step, x, e, np.nan_to_num(sample.properties), known.astype(float)))
        return draws

    def _times(self, random: np.random.Generator) -> tuple[float, float]:
        if random.random() >= self.shortcuts:
            time = random.uniform() if random.random() >= self.middle else 1.0 / (1.0 + math.exp(-random.normal()))
            return float(LEAST_TIME + (self.process.latest - LEAST_TIME) * time), 0.0
        # All lengths are equally probable on a logarithmic scale, but the whole way in one step is most useful.
        step = 1.0 if random.random() < 0.2 else math.exp(random.uniform(math.log(self.shortest), 0.0))
        # A sampler of n equal steps takes one from each multiple of their length.
        n = max(1, round(1.0 / step))
        k = int(random.integers(1, n + 1))
        time, end = min(k / n, self.process.latest), (k - 1) / n
        return time, time - end if time > end else 1.0 / n

    def _with_ghosts(self, sample: Sample, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if not self.process.ghosts or self.density is None:
            return sample.positions, sample.types
        n = max(0, int(self.density * sample.volume) - len(sample))
        positions = np.concatenate([sample.positions, random.random((n, 3)) @ sample.cell])
        return positions, np.concatenate([sample.types, np.full(n, self.process.n_species)])


class AMShortcutTask(Task):
    """A generator with its loss and the figures of its validation."""

    model: AMShortcut
    n_statistics = 1

    def __init__(self, model: AMShortcut, process: Process) -> None:
        super().__init__()
        self.model, self.process = model, process
        self.shortest = model.shortest

    @staticmethod
    def collate(samples: Sequence[list[Draw]]) -> list[Draw]:
        """A batch is the list of all draws; their graphs are built later."""
        return [draw for draws in samples for draw in draws]

    def answers(self, draws: Sequence[Draw], states: Sequence[State], times: Any, steps: Any) -> tuple[Tensor, Tensor]:
        """The network's two outputs, (N, 3) and (N, kinds), for all atoms of some structures.

        draws: give the conditions. states: the structures. times, steps: (S,), in [0, 1].
        """
        like = next(self.parameters())
        sample, index, vectors, first = [], [], [], 0
        for number, state in enumerate(states):
            pairs, offsets = neighbour_list(state.positions, state.cell, self.model.cutoff)
            index.append(pairs + first)
            vectors.append(offsets)
            sample.append(np.full(len(state.positions), number))
            first += len(state.positions)

        def tensor(values: Any) -> Tensor:
            return torch.as_tensor(np.asarray(values)).to(like)

        place = like.device
        out: tuple[Tensor, Tensor] = self.model(
            tensor(np.concatenate([state.elements for state in states])),
            torch.as_tensor(np.concatenate(sample)).to(place),
            torch.as_tensor(np.concatenate(index, axis=1)).to(place),
            tensor(np.concatenate(vectors)),
            tensor(times),
            tensor(steps),
            tensor(np.stack([draw.properties for draw in draws])),
            tensor(np.stack([draw.known for draw in draws])),
        )
        return out

    @torch.no_grad()
    def targets(self, draws: Sequence[Draw]) -> tuple[Tensor, Tensor]:
        """Target outputs (N, 3) and (N, kinds): the data's velocity, or the mean of two half steps (paper, eq. 4)."""
        like = next(self.parameters())
        of_x, of_e = [draw.target_x for draw in draws], [draw.target_e for draw in draws]
        long = [number for number, draw in enumerate(draws) if draw.step > 0]
        if long:
            chosen = [draws[number] for number in long]
            halves = np.array([draw.step / 2 for draw in chosen])
            # The shortest steps are taken with the velocity itself.
            lengths = np.where(halves < self.shortest, 0.0, halves)
            states, times = [d.state for d in chosen], [d.time for d in chosen]
            first = self._split(chosen, self.answers(chosen, states, times, lengths))
            middle = [
                self.process.advance(d.state, d.time, h, *a, None)
                for d, h, a in zip(chosen, halves, first, strict=True)
            ]
            later = [d.time - h for d, h in zip(chosen, halves, strict=True)]
            second = self._split(chosen, self.answers(chosen, middle, later, lengths))
            for number, *halves_of in zip(long, middle, later, first, second, strict=True):
                of_x[number], of_e[number] = self._joined(draws[number], *halves_of)
        x, e = (torch.as_tensor(np.concatenate(part)).to(like) for part in (of_x, of_e))
        return x, e

    def _joined(self, draw: Draw, middle: State, later: float, first: Pair, second: Pair) -> Pair:
        """The outputs for one step that follow from the mean velocity of its two halves."""
        v, w = self.process.velocity(draw.state, draw.time, *first)
        v_later, w_later = self.process.velocity(middle, later, *second)
        return self.process.answer(draw.state, draw.time, 0.5 * (v + v_later), 0.5 * (w + w_later))

    @staticmethod
    def _split(draws: Sequence[Draw], outputs: tuple[Tensor, Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
        sizes = [len(draw.state.positions) for draw in draws]
        x, e = (part.double().cpu().split_with_sizes(sizes) for part in outputs)
        return [(a.numpy(), b.numpy()) for a, b in zip(x, e, strict=True)]

    def _losses(self, draws: Sequence[Draw]) -> Tensor:
        """Squared errors (N,) of all atoms, differentiable with respect to the weights."""
        x, e = self.targets(draws)
        times, steps = [draw.time for draw in draws], [draw.step for draw in draws]
        dx, de = self.answers(draws, [draw.state for draw in draws], times, steps)
        return (dx - x).square().sum(1) + _ELEMENTS * (de - e).square().sum(1)

    def forward(self, batch: list[Draw]) -> Tensor:
        """The loss of a training batch, in the square of the length unit."""
        return self._losses(batch).mean()

    @torch.no_grad()
    def statistics(self, batch: list[Draw]) -> Tensor:
        """The mean squared error of the outputs: (1,)."""
        return self._losses(batch).mean().unsqueeze(0)

    def metrics(self, means: Tensor) -> dict[str, float]:
        """val_loss: the mean squared error of the velocity, in the unit of length squared."""
        return {"val_loss": float(means[0])}
