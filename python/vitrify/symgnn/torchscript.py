"""A SymGNN in the TorchScript engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vitrify.engines.torchscript import TorchModel
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.symgnn.metadata import SymGNNMetadata


@dataclass(frozen=True)
class TorchSymGNN(TorchModel):
    """A SymGNN in TorchScript: `module(types, edge_index, edge_vectors) -> (value, deviation)`."""

    metadata: SymGNNMetadata

    def predict(self, positions: Any, cell: Any, types: Any) -> tuple[np.ndarray, np.ndarray]:
        """The property and its standard deviation, (N,) float64 each, in the unit of `metadata.property`.

        positions: (N, 3) in the model's unit. cell: (3, 3) rows, any. types: (N,) from 0.
        """
        cutoff = self.metadata.cutoff
        graph = build_structure_graph(positions, cell, types, cutoff, self.dtype, self.device)
        values, deviations = self.run(graph, (), ())
        return values, deviations
