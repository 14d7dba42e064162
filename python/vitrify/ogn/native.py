"""An OGN in the native engine."""

from __future__ import annotations

from typing import Any

from vitrify.engines.native import Array, MeasuredNativeBase
from vitrify.ogn.metadata import OGNMetadata


class NativeOGN(MeasuredNativeBase):
    """An OGN of variant pair, ready to run."""

    kind = "ogn"
    compiled = "NativeOGN"
    metadata: OGNMetadata

    def predict(self, positions: Any, velocities: Any, cell: Any, types: Any) -> tuple[Array, Array]:
        """Changes dr and dv (N, 3) float64 of one stride, in the model's units.

        positions, velocities: (N, 3). cell: (3, 3) rows, may be triclinic or smaller than the cutoff. types: (N,) from
        0. Threads may share the model; they take turns.
        """
        dr, dv = self._model.predict(positions, velocities, cell, types)
        return dr, dv
