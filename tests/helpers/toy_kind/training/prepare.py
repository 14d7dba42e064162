"""Training the toy on structures with a label for each atom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from toy_kind.training.config import ToyConfig
from vitrify.data.structures import LabelledStructure, load_structures
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.models import ModelConfig, System, build_model
from vitrify.training.task import Prepared, Task
from vitrify.training.validity import structure_validity


class ToyTask(Task):
    """Mean squared error of the coordination numbers."""

    n_statistics = 1

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @staticmethod
    def collate(samples: Sequence[Any]) -> list[Any]:
        return list(samples)

    def forward(self, batch: list[Any]) -> Tensor:
        return torch.stack([(self.model(*graph)[0] - labels).square().mean() for graph, labels in batch]).mean()

    def statistics(self, batch: list[Any]) -> Tensor:
        return self(batch).detach().unsqueeze(0)

    def metrics(self, means: Tensor) -> dict[str, float]:
        return {"val_loss": float(means[0])}


class Graphs:
    """Graphs and labels of structures, as the loop asks for them."""

    def __init__(self, structures: Sequence[LabelledStructure], cutoff: float) -> None:
        self.items = [
            (
                build_structure_graph(s.positions, s.cell, s.types, cutoff, torch.float32),
                torch.as_tensor(s.labels, dtype=torch.float32),
            )
            for s in structures
        ]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        return self.items[key[0]]


def prepare(config: ToyConfig, model_config: ModelConfig) -> Prepared:
    """The task of a configuration, on the structures of its files."""
    data = config.data
    train = load_structures(data.train, data.species, data.label)
    held_out = load_structures(data.validation, data.species, data.label) if data.validation else train
    model = build_model(config.kind, model_config, System(data.species, (), "metal", 0.0))
    info = {
        "config": json.loads(config.model_dump_json()),
        "species": list(data.species),
        "units": "metal",
        "quantity": data.label,
        "validity": structure_validity(data.species, train, float(model.cutoff)),
        "data": [{"name": path.name} for path in data.train],
        "versions": {},
    }
    items = Graphs(train, float(model.cutoff))
    checked = Graphs(held_out, float(model.cutoff))
    return Prepared(ToyTask(model), items, checked, range(len(checked)), json.dumps(info))
