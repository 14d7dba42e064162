"""The factor that gives predictions the right mean kinetic energy."""

from __future__ import annotations

import pytest
import torch

from vitrify.data.datasets import Pair
from vitrify.graphs.graph import Graph
from vitrify.ogn.training.kinetic_energy_correction import correction_factor

MASSES = torch.tensor([1.0, 3.0])


class Pairs:
    """Random pairs: 20 atoms of two species, velocity changes as large as the velocities."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, key: tuple[int, int]) -> Pair:
        random = torch.Generator().manual_seed(key[0])
        types = torch.arange(20) % 2
        v, dr, dv = (torch.randn(20, 3, generator=random, dtype=torch.float64) for _ in range(3))
        self.last = Pair(Graph(types, v, torch.zeros(2, 0, dtype=torch.long), torch.zeros(0, 3)), dr, dv)
        return self.last


def model_that_gives(scale: float, friction: float, pairs: Pairs) -> object:
    """A model whose dv is `scale` times the truth, less `friction` times the velocity."""

    def predict(types: torch.Tensor, velocities: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return pairs.last.dr, scale * pairs.last.dv - friction * velocities

    class Model:
        masses = MASSES

        def __call__(self, *graph: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return predict(*graph)

    return Model()


def kinetic_excess(model: object, factor: float, pairs: Pairs) -> float:
    """Mean kinetic energy with dv times `factor`, over the true one, less 1."""
    got = true = 0.0
    for index in range(len(pairs)):
        pair = pairs[index, 0]
        masses, v = MASSES[pair.graph.types].unsqueeze(1), pair.graph.velocities
        got += float((masses * (v + factor * model(*pair.graph)[1]) ** 2).sum())  # type: ignore[operator]
        true += float((masses * (v + pair.dv) ** 2).sum())
    return got / true - 1.0


@pytest.mark.parametrize(("scale", "friction"), [(0.998, 0.0), (1.003, 0.0), (1.0, 2e-3)])
def test_kinetic_energy_is_right_on_average(scale: float, friction: float) -> None:
    pairs = Pairs()
    model = model_that_gives(scale, friction, pairs)
    factor = correction_factor(model, pairs)  # type: ignore[arg-type]
    before, after = kinetic_excess(model, 1.0, pairs), kinetic_excess(model, factor, pairs)
    assert abs(before) > 1e-3
    assert abs(after) < 1e-2 * abs(before)


def test_a_model_without_error_is_left_alone() -> None:
    pairs = Pairs()
    assert correction_factor(model_that_gives(1.0, 0.0, pairs), pairs) == pytest.approx(1.0, abs=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [0.5, 0.0, float("nan")])
def test_a_model_that_has_learned_little_is_left_alone(scale: float) -> None:
    pairs = Pairs()
    assert correction_factor(model_that_gives(scale, 0.0, pairs), pairs) == 1.0  # type: ignore[arg-type]
