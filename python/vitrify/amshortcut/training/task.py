"""What a generator is trained on: glasses with noise of all sizes, and its short steps as targets of longer ones."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import vitrify
from vitrify.amshortcut.models.base import AMShortcut
from vitrify.amshortcut.models.flow import FlowAMShortcut
from vitrify.amshortcut.training.config import AMShortcutConfig
from vitrify.core.files import sha256
from vitrify.data.samples import Sample, load_samples, masses_of, read_recipe, split_groups
from vitrify.generation.processes import Process, State, make_process
from vitrify.graphs.neighbours import neighbour_list
from vitrify.models import ModelConfig, System, build_model
from vitrify.training.task import Prepared, Task
from vitrify.training.validity import structure_validity

LEAST_TIME = 0.01  # below, there is nothing to see
Pair = tuple[np.ndarray, np.ndarray]
_ELEMENTS = 0.5  # weight of the elements in the loss (paper, eqs. 8 and 10)


@dataclass(frozen=True)
class Draw:
    """A structure with noise, and what the network is asked there.

    step: 0 for the velocity at `time`; otherwise the length of a step, whose target are two halves of it. target_x
    (N, 3), target_e (N, kinds): of step 0. properties, known: (P,).
    """

    state: State
    time: float
    step: float
    target_x: np.ndarray
    target_e: np.ndarray
    properties: np.ndarray
    known: np.ndarray

    def to(self, device: Any, **_: Any) -> Draw:
        """Itself: graphs are built on the CPU, and what the network reads is moved then. Fabric asks for this."""
        return self


class Draws:
    """Draws of samples, as the loop asks for them: data[index, seed] are some draws of one sample and one noise.

    times: how many, since noise that is matched to a sample costs as much as the network does. shortcuts: share of the
    draws with a step. null: probability that a property is not told. density: of ghosts and atoms together, for
    processes that have ghosts.
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
        # Steps of all lengths alike; the whole way in one step is one case of many, but the one that is asked for most.
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
    """A generator together with what training and validation ask of it."""

    model: AMShortcut
    n_statistics = 1

    def __init__(self, model: AMShortcut, process: Process) -> None:
        super().__init__()
        self.model, self.process = model, process
        self.shortest = model.shortest

    @staticmethod
    def collate(samples: Sequence[list[Draw]]) -> list[Draw]:
        """Structures stay apart until their graphs are built."""
        return [draw for draws in samples for draw in draws]

    def answers(self, draws: Sequence[Draw], states: Sequence[State], times: Any, steps: Any) -> tuple[Tensor, Tensor]:
        """The network's two outputs for structures at their times, all of them together."""
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
        """What the network shall answer: the data's velocity, or the mean of two half steps (paper, eq. 4)."""
        like = next(self.parameters())
        of_x, of_e = [draw.target_x for draw in draws], [draw.target_e for draw in draws]
        long = [number for number, draw in enumerate(draws) if draw.step > 0]
        if long:
            chosen = [draws[number] for number in long]
            halves = np.array([draw.step / 2 for draw in chosen])
            # The shortest steps are taken with the velocity itself.
            asked = np.where(halves < self.shortest, 0.0, halves)
            states, times = [d.state for d in chosen], [d.time for d in chosen]
            first = self._split(chosen, self.answers(chosen, states, times, asked))
            middle = [
                self.process.advance(d.state, d.time, h, *a, None)
                for d, h, a in zip(chosen, halves, first, strict=True)
            ]
            later = [d.time - h for d, h in zip(chosen, halves, strict=True)]
            second = self._split(chosen, self.answers(chosen, middle, later, asked))
            for number, *halves_of in zip(long, middle, later, first, second, strict=True):
                of_x[number], of_e[number] = self._joined(draws[number], *halves_of)
        x, e = (torch.as_tensor(np.concatenate(part)).to(like) for part in (of_x, of_e))
        return x, e

    def _joined(self, draw: Draw, middle: State, later: float, first: Pair, second: Pair) -> Pair:
        """The answer of one step, which means the mean velocity of its two halves."""
        v, w = self.process.velocity(draw.state, draw.time, *first)
        v_later, w_later = self.process.velocity(middle, later, *second)
        return self.process.answer(draw.state, draw.time, 0.5 * (v + v_later), 0.5 * (w + w_later))

    @staticmethod
    def _split(draws: Sequence[Draw], outputs: tuple[Tensor, Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
        sizes = [len(draw.state.positions) for draw in draws]
        x, e = (part.double().cpu().split_with_sizes(sizes) for part in outputs)
        return [(a.numpy(), b.numpy()) for a, b in zip(x, e, strict=True)]

    def _losses(self, draws: Sequence[Draw]) -> Tensor:
        """Squared errors (N,) of all atoms, in one graph with the weights."""
        x, e = self.targets(draws)
        times, steps = [draw.time for draw in draws], [draw.step for draw in draws]
        dx, de = self.answers(draws, [draw.state for draw in draws], times, steps)
        return (dx - x).square().sum(1) + _ELEMENTS * (de - e).square().sum(1)

    def forward(self, batch: list[Draw]) -> Tensor:
        """The loss of a training batch, in the square of the length unit."""
        return self._losses(batch).mean()

    @torch.no_grad()
    def statistics(self, batch: list[Draw]) -> Tensor:
        """[mean squared error of the answer]: (1,)."""
        return self._losses(batch).mean().unsqueeze(0)

    def metrics(self, means: Tensor) -> dict[str, float]:
        """val_loss: mean squared error of the velocity."""
        return {"val_loss": float(means[0])}


def prepare(config: AMShortcutConfig, model_config: ModelConfig) -> Prepared:
    """The task of a configuration, on the structures of its files."""
    data = config.data
    samples = load_samples(data.train, data.species, data.properties)
    if data.validation:
        train, held_out = samples, load_samples(data.validation, data.species, data.properties)
    else:
        train, held_out = split_groups(samples, data.held_out, config.training.seed)
    system = System(tuple(data.species), (), data.units, 0.0, tuple(data.properties))
    model = build_model(config.kind, model_config, system)
    process = make_process(model.process, model.n_species, model.spread)
    if data.properties:
        values = np.stack([sample.properties for sample in train])
        model.calibrate(*(torch.as_tensor(f(values, axis=0)) for f in (np.nanmean, np.nanstd)))
    task = AMShortcutTask(model, process)
    if config.training.precision == 64:
        task = task.double()
    options: dict[str, Any] = {"density": model.ghost_density, "shortest": model.shortest}
    shares = {"shortcuts": model.shortcuts, "null": model.null, "middle": model.middle}
    drawn = Draws(train, process, **shares, times=data.times, **options)
    checked = Draws(held_out, process, shortcuts=0.0, null=0.0, **options)
    if isinstance(model, FlowAMShortcut):
        squares = [np.square(checked[index, 0][0].target_x).mean() for index in range(min(8, len(held_out)))]
        model.churn_spread.fill_(float(np.mean(squares)) ** 0.5)
    step = max(1, len(held_out) // data.validation_samples)
    chosen = list(range(0, len(held_out), step))[: data.validation_samples]
    return Prepared(task, drawn, checked, chosen, describe(config, train, float(model.cutoff)))


def describe(config: AMShortcutConfig, samples: Sequence[Sample], cutoff: float) -> str:
    """All that a checkpoint must say about its model beside the weights, as JSON."""
    data = config.data
    units: dict[str, str] = {}
    for path in data.train:
        units |= read_recipe(path).get("property_units", {})
    return json.dumps(
        {
            "config": json.loads(config.model_dump_json()),
            "species": list(data.species),
            "units": data.units,
            "masses": masses_of(data.species, data.masses),
            "charges": [float(data.charges[name]) for name in data.species] if data.charges else None,
            "properties": properties_of(samples, data.properties, units),
            "statistics": statistics_of(samples, data.species, data.properties),
            "validity": structure_validity(data.species, samples, cutoff),
            "data": [{"name": path.name, "sha256": sha256(path), "recipe": read_recipe(path)} for path in data.train],
            "versions": {"vitrify": vitrify.__version__, "torch": torch.__version__},
        }
    )


def properties_of(samples: Sequence[Sample], names: Sequence[str], units: dict[str, str]) -> list[dict[str, Any]]:
    """Name, unit and range of each property, the range widened by 2% of itself."""
    found = []
    for number, name in enumerate(names):
        values = np.array([sample.properties[number] for sample in samples])
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        margin = 0.02 * (high - low)
        found.append({"name": name, "unit": units.get(name, ""), "range": [low - margin, high + margin]})
    return found


def statistics_of(samples: Sequence[Sample], species: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Mean and covariance of number density, composition and properties over the simulations.

    They say which density and composition go with the properties that are asked for. Samples that lack a property are
    left out, as long as others have it.
    """
    rows = np.array(
        [[s.number_density, *(np.bincount(s.types, minlength=len(species)) / len(s)), *s.properties] for s in samples]
    )
    rows = rows[~np.isnan(rows).any(axis=1)]
    if len(rows) == 0:
        rows = np.zeros((1, 1 + len(species) + len(names)))
    labels = ["number_density", *(f"fraction:{name}" for name in species), *names]
    covariance = np.cov(rows.T, bias=True).reshape(len(labels), len(labels))
    return {"names": labels, "mean": rows.mean(0).tolist(), "covariance": covariance.tolist()}
