"""The toy in the TorchScript engine."""

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
        return self.run(graph, (), ())[0]
