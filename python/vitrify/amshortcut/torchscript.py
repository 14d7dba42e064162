"""The network of a generator in the TorchScript engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vitrify.amshortcut.metadata import AMShortcutMetadata
from vitrify.engines.torchscript import TorchModel
from vitrify.graphs.neighbours import neighbour_list


@dataclass(frozen=True)
class TorchAMShortcut(TorchModel):
    """A generator's network, ready to run; `vitrify.amshortcut.models.base` says what it takes and returns."""

    metadata: AMShortcutMetadata

    def answer(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, properties: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """The outputs (N, 3), (N, kinds) of one structure; elements (N, kinds); properties (P,), NaN: not asked for."""
        edge_index, edge_vectors = neighbour_list(positions, cell, self.metadata.cutoff)
        values = np.asarray(properties, float)[None]

        return self.run(
            (
                self.tensor(elements),
                torch.zeros(len(elements), dtype=torch.int64, device=self.device),
                torch.as_tensor(edge_index, device=self.device),
                self.tensor(edge_vectors),
                self.tensor([time]),
                self.tensor([step]),
                self.tensor(np.nan_to_num(values)),
                self.tensor(~np.isnan(values)),
            )
        )
