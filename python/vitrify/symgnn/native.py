"""A SymGNN in the native engine."""

from __future__ import annotations

from typing import Any

from vitrify.engines.native import Array, MeasuredNativeBase
from vitrify.symgnn.metadata import SymGNNMetadata


class NativeSymGNN(MeasuredNativeBase):
    """A SymGNN of variant exact in the native engine."""

    kind = "symgnn"
    compiled = "NativeSymGNN"
    metadata: SymGNNMetadata

    def predict(self, positions: Any, cell: Any, types: Any) -> tuple[Array, Array]:
        """The property and its standard deviation, (N,) float64 each, in the unit of `metadata.property`.

        positions: (N, 3). cell: (3, 3) rows, any. types: (N,) from 0. Threads may share the model; they take turns.
        """
        values, deviations = self._model.predict(positions, cell, types)
        return values, deviations
