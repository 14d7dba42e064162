"""A latent model in the TorchScript engine."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from vitrify.engines.predictions import EnergyPrediction
from vitrify.engines.torchscript import TorchModel
from vitrify.glassvae.differentiate import energy_prediction
from vitrify.glassvae.metadata import GlassVAEMetadata
from vitrify.glassvae.repulsion import with_core
from vitrify.graphs.graph import StructureGraph
from vitrify.graphs.neighbours import build_structure_graph, neighbour_list


@dataclass(frozen=True)
class TorchGlassVAE(TorchModel):
    """A latent model in TorchScript: `module(types, edge_index, edge_vectors) -> (energies, latent)`."""

    metadata: GlassVAEMetadata

    def predict(self, positions: Any, cell: Any, types: Any, in_double: bool = False) -> EnergyPrediction:
        """Energies of the atoms, forces, stress and latent vector, float64, in the model's units.

        positions: (N, 3). cell: (3, 3) rows, any. types: (N,) from 0. in_double: compute in double precision, whatever
        the precision of the model.
        """
        module, dtype = (self._module_in_double, torch.float64) if in_double else (self.module, self.dtype)
        graph = build_structure_graph(positions, cell, types, self.metadata.cutoff, dtype, self.device)
        shapes = (len(types),), (self.metadata.latent,)
        with self.running():
            found = energy_prediction(lambda *inputs: self.checked(module(*inputs), *shapes), cell, graph)
        return with_core(found, self.metadata.validity.min_distance, positions, cell, types)

    @cached_property
    def _module_in_double(self) -> torch.jit.ScriptModule:
        return self.module if self.dtype == torch.float64 else copy.deepcopy(self.module).double()

    def decode(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, z: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """The outputs (N, 3) and (N, kinds) of the decoder of positions, for latent vector z (L,).

        positions: (N, 3). cell: (3, 3) rows. elements: (N, kinds), one-hot. time, step: in [0, 1].
        """
        edge_index, edge_vectors = neighbour_list(positions, cell, self.metadata.hyperparameters["decoder"]["cutoff"])

        sample = torch.zeros(len(elements), dtype=torch.int64, device=self.device)
        index = torch.as_tensor(edge_index, device=self.device)
        latent = self.tensor(z).unsqueeze(0)
        moment = self.tensor([time]), self.tensor([step])
        graph = self.tensor(elements), sample, index, self.tensor(edge_vectors), *moment
        shapes = (len(elements), 3), np.shape(elements)
        with self.running(), torch.inference_mode():
            moved, kinds = self.checked(self.module.decoder(*graph, latent, torch.ones_like(latent)), *shapes)
        return moved.double().cpu().numpy(), kinds.double().cpu().numpy()

    def graph(self, positions: Any, cell: Any, types: Any) -> StructureGraph:
        """The graph that the module reads; positions (N, 3), cell (3, 3) rows, types (N,) from 0."""
        return build_structure_graph(positions, cell, types, self.metadata.cutoff, self.dtype, self.device)
