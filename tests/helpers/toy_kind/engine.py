"""The toy in the TorchScript engine, and what hosts ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from toy_kind.metadata import ToyMetadata
from vitrify.engines.torchscript import TorchModel
from vitrify.graphs.neighbours import build_structure_graph


@dataclass(frozen=True)
class TorchToy(TorchModel):
    """The toy, ready to run."""

    metadata: ToyMetadata

    def predict(self, positions: Any, cell: Any, types: Any) -> np.ndarray:
        """Coordination numbers (N,); positions (N, 3), cell (3, 3) rows, types (N,) 0-based."""
        graph = build_structure_graph(positions, cell, types, self.metadata.cutoff, self.dtype, self.device)
        return self.run(graph)[0]


def replay(model: TorchToy) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Coordination numbers of the reference case, as they are and as they should be."""
    case = model.metadata.reference
    types = [model.metadata.species.index(name) for name in case.species]
    return (model.predict(case.positions, case.cell, types),), (np.array(case.values),)


def results(model: TorchToy, positions: np.ndarray, cell: np.ndarray, types: np.ndarray) -> dict[str, Any]:
    """What GlassCalc gives."""
    return {"coordination": model.predict(positions, cell, types)}


def quantity(metadata: ToyMetadata) -> str:
    """What is predicted, in a word."""
    return metadata.quantity
