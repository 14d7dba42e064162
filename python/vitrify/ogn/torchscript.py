"""An OGN in the TorchScript engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vitrify.engines.torchscript import TorchModel
from vitrify.graphs.neighbours import build_graph
from vitrify.ogn.metadata import OGNMetadata


@dataclass(frozen=True)
class TorchOGN(TorchModel):
    """An OGN, ready to run: `module(types, velocities, edge_index, edge_vectors) -> (dr, dv)`."""

    metadata: OGNMetadata

    def predict(self, positions: Any, velocities: Any, cell: Any, types: Any) -> tuple[np.ndarray, np.ndarray]:
        """Changes dr and dv (N, 3) float64 of one stride, in the model's units.

        positions, velocities: (N, 3). cell: (3, 3) rows. types: (N,) from 0.
        """
        cutoff = self.metadata.cutoff
        graph = build_graph(positions, velocities, cell, types, cutoff, self.dtype, self.device)
        dr, dv = self.run(graph, (3,), (3,))
        return dr, dv
