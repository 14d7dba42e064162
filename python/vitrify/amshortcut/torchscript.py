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
    """The network of a generator in TorchScript; `vitrify.amshortcut.models.base` describes its inputs and outputs."""

    metadata: AMShortcutMetadata

    def answer(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, properties: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """The outputs (N, 3) and (N, kinds) of one structure.

        positions: (N, 3). cell: (3, 3) rows. elements: (N, kinds). time, step: in [0, 1]. properties: (P,) in their
        units, NaN where one is not requested.
        """
        edge_index, edge_vectors = neighbour_list(positions, cell, self.metadata.cutoff)
        values = np.asarray(properties, float)[None]

        vectors, kinds = self.run(
            (
                self.tensor(elements),
                torch.zeros(len(elements), dtype=torch.int64, device=self.device),
                torch.as_tensor(edge_index, device=self.device),
                self.tensor(edge_vectors),
                self.tensor([time]),
                self.tensor([step]),
                self.tensor(np.nan_to_num(values)),
                self.tensor(~np.isnan(values)),
            ),
            (3,),
            np.shape(elements)[1:],
        )
        return vectors, kinds
