"""Model files as TorchScript, loaded onto a device: one class for each kind, with the arrays of numpy outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import torch
from torch.jit._fuser import optimized_execution

from vitrify.engines.predictions import EnergyPrediction
from vitrify.graphs.graph import StructureGraph
from vitrify.graphs.neighbours import build_graph, build_structure_graph, neighbour_list
from vitrify.modelfile.archive import AMShortcutMetadata, GlassVAEMetadata, OGNMetadata, SymGNNMetadata
from vitrify.modelfile.reference_case import energy_prediction

DTYPES = {"float32": torch.float32, "float64": torch.float64}

_M = TypeVar("_M", OGNMetadata, SymGNNMetadata, AMShortcutMetadata, GlassVAEMetadata)


@dataclass(frozen=True)
class _Module(Generic[_M]):
    """A model file as TorchScript, with its metadata, on a device."""

    path: Path
    metadata: _M
    module: torch.jit.ScriptModule
    device: torch.device

    @property
    def runs_on(self) -> str:
        """The engine and the device, for messages."""
        return f"torch ({self.device})"

    @property
    def dtype(self) -> torch.dtype:
        """The precision that the module computes in."""
        return DTYPES[self.metadata.dtype]

    def _run(self, graph: tuple[torch.Tensor, ...]) -> tuple[np.ndarray, np.ndarray]:
        # The profiling executor specialises on shapes; the number of edges changes at every step.
        with torch.inference_mode(), optimized_execution(False):
            first, second = self.module(*graph)
        return first.double().cpu().numpy(), second.double().cpu().numpy()


class TorchOGN(_Module[OGNMetadata]):
    """An OGN, ready to run: `module(types, velocities, edge_index, edge_vectors) -> (dr, dv)`."""

    def predict(self, positions: Any, velocities: Any, cell: Any, types: Any) -> tuple[np.ndarray, np.ndarray]:
        """dr, dv (N, 3) float64 of one stride; positions, velocities (N, 3), cell (3, 3) rows, types (N,)."""
        cutoff = self.metadata.cutoff
        return self._run(build_graph(positions, velocities, cell, types, cutoff, self.dtype, self.device))


class TorchSymGNN(_Module[SymGNNMetadata]):
    """A SymGNN, ready to run: `module(types, edge_index, edge_vectors) -> (value, deviation)`."""

    def predict(self, positions: Any, cell: Any, types: Any) -> tuple[np.ndarray, np.ndarray]:
        """The property and its standard deviation, (N,) float64 each, in the unit of `metadata.property`.

        positions (N, 3) in the model's units, cell (3, 3) rows, any cell; types (N,) 0-based.
        """
        cutoff = self.metadata.cutoff
        return self._run(build_structure_graph(positions, cell, types, cutoff, self.dtype, self.device))


class TorchAMShortcut(_Module[AMShortcutMetadata]):
    """A generator's network, ready to run; `vitrify.amshortcut.models.base` says what it takes and returns."""

    def answer(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, properties: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """The outputs (N, 3), (N, kinds) of one structure; elements (N, kinds); properties (P,), NaN: not asked for."""
        edge_index, edge_vectors = neighbour_list(positions, cell, self.metadata.cutoff)
        values = np.asarray(properties, float)[None]

        def tensor(array: Any) -> torch.Tensor:
            return torch.as_tensor(np.asarray(array)).to(self.device, self.dtype)

        return self._run(
            (
                tensor(elements),
                torch.zeros(len(elements), dtype=torch.int64, device=self.device),
                torch.as_tensor(edge_index, device=self.device),
                tensor(edge_vectors),
                tensor([time]),
                tensor([step]),
                tensor(np.nan_to_num(values)),
                tensor(~np.isnan(values)),
            )
        )


class TorchGlassVAE(_Module[GlassVAEMetadata]):
    """A latent model, ready to run: `module(types, edge_index, edge_vectors) -> (energies, latent)`."""

    def predict(self, positions: Any, cell: Any, types: Any) -> EnergyPrediction:
        """Energies of the atoms, forces, stress and latent vector, float64, in the model's units.

        positions (N, 3), cell (3, 3) rows, any cell; types (N,) 0-based.
        """
        with optimized_execution(False):
            return energy_prediction(self.module, cell, self.graph(positions, cell, types))

    def decode(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, z: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the decoder of positions answers, (N, 3) and (N, kinds), to one-hot elements (N, kinds) and z (L,)."""
        edge_index, edge_vectors = neighbour_list(positions, cell, self.metadata.hyperparameters["decoder"]["cutoff"])

        def tensor(array: Any) -> torch.Tensor:
            return torch.as_tensor(np.asarray(array)).to(self.device, self.dtype)

        sample = torch.zeros(len(elements), dtype=torch.int64, device=self.device)
        index = torch.as_tensor(edge_index, device=self.device)
        asked = tensor(z).unsqueeze(0)
        graph = tensor(elements), sample, index, tensor(edge_vectors), tensor([time]), tensor([step])
        with torch.inference_mode(), optimized_execution(False):
            moved, kinds = self.module.decoder(*graph, asked, torch.ones_like(asked))
        return moved.double().cpu().numpy(), kinds.double().cpu().numpy()

    def graph(self, positions: Any, cell: Any, types: Any) -> StructureGraph:
        """What the module reads."""
        return build_structure_graph(positions, cell, types, self.metadata.cutoff, self.dtype, self.device)


TorchModel: TypeAlias = TorchOGN | TorchSymGNN | TorchAMShortcut | TorchGlassVAE
