"""An OGN in the TorchScript engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vitrify.engines.torchscript import TorchModel
from vitrify.graphs.neighbours import build_graph
from vitrify.ogn.interface import no_stress
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

    def predict_with_virial(
        self, positions: Any, velocities: Any, cell: Any, types: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`predict`, and the virial (6,) of the cell: see `vitrify.ogn.interface.StressPredictor`."""
        if not (self.metadata.has_stress and self.has_method("forward_with_virial")):
            raise no_stress(self.path)
        graph = build_graph(positions, velocities, cell, types, self.metadata.cutoff, self.dtype, self.device)
        n = len(graph.types)
        with self.running(), torch.inference_mode():
            results = self.checked(self.module.forward_with_virial(*graph), (n, 3), (n, 3), (n, 6))
            dr, dv, virial = (tensor.double().cpu().numpy() for tensor in results)
        return dr, dv, virial.sum(0)
