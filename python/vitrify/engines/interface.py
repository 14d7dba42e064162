"""What hosts ask of a model in an engine, native or TorchScript; each kind adds what only it can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vitrify.engines.predictions import EnergyPrediction
from vitrify.modelfile.metadata import Metadata


class Engine(Protocol):
    """A model file in an engine."""

    @property
    def path(self) -> Path: ...

    @property
    def metadata(self) -> Metadata: ...

    @property
    def runs_on(self) -> str:
        """The engine and what it runs on, for messages."""
        ...


class FlowPredictor(Engine, Protocol):
    """The network of a generator in an engine."""

    def answer(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, properties: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The network's outputs (N, 3), (N, kinds); elements (N, kinds); properties (P,), NaN where none is asked."""
        ...


class EnergyPredictor(Engine, Protocol):
    """A model of energies in an engine."""

    @property
    def metadata(self) -> Any:
        """Of a kind that has masses, too."""
        ...

    def predict(self, positions: Any, cell: Any, types: Any) -> EnergyPrediction:
        """Energies, forces, stress and z; positions (N, 3), cell (3, 3) rows, types (N,) 0-based."""
        ...


@runtime_checkable
class DecodingPredictor(Protocol):
    """A latent model whose decoder its engine runs, too."""

    def decode(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, z: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the decoder of positions answers, (N, 3) and (N, kinds), to one-hot elements (N, kinds) and z (L,)."""
        ...
