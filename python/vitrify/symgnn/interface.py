"""The interface of a SymGNN in an engine, as hosts use it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vitrify.engines.interface import Engine
from vitrify.symgnn.metadata import SymGNNMetadata


class PropertyPredictor(Engine, Protocol):
    """A model of a property of each atom in an engine."""

    @property
    def metadata(self) -> SymGNNMetadata: ...

    def predict(self, positions: Any, cell: Any, types: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The property and its standard deviation, (N,) each, in the unit of `metadata.property`.

        positions: (N, 3). cell: (3, 3) rows. types: (N,) from 0.
        """
        ...
