"""Interfaces of a model in an engine, native or TorchScript, as hosts use them; each kind adds its own methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vitrify.engines.predictions import EnergyPrediction
from vitrify.modelfile.metadata import Metadata

# Arrays that a model gives for its reference case, in a fixed order.
Outputs: TypeAlias = tuple[NDArray[np.float64], ...]


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
        """The network's outputs (N, 3) and (N, kinds) for positions (N, 3), cell (3, 3) rows, elements (N, kinds).

        time, step: in [0, 1]. properties: (P,) in their units, NaN where none is requested.
        """
        ...


class EnergyPredictor(Engine, Protocol):
    """A model of energies in an engine."""

    @property
    def metadata(self) -> Any:
        """The metadata of the model, of a kind that has masses."""
        ...

    def predict(self, positions: Any, cell: Any, types: Any, in_double: bool = False) -> EnergyPrediction:
        """Energies, forces, stress and latent vector; positions (N, 3), cell (3, 3) rows, types (N,) from 0.

        in_double: compute in double precision, whatever the precision of the model.
        """
        ...


@runtime_checkable
class DecodingPredictor(Protocol):
    """A latent model in an engine that runs its decoder too."""

    def decode(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, z: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The outputs (N, 3) and (N, kinds) of the decoder, for one-hot elements (N, kinds) and latent vector z (L,).

        positions: (N, 3). cell: (3, 3) rows. time, step: in [0, 1].
        """
        ...
