"""An OGN in the native engine."""

from __future__ import annotations

from typing import Any

from vitrify.engines.native import Array, MeasuredNativeBase
from vitrify.ogn.interface import no_stress
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

    def predict_with_virial(self, positions: Any, velocities: Any, cell: Any, types: Any) -> tuple[Array, Array, Array]:
        """dr, dv (N, 3) of one stride and its virial (6,), as `StressPredictor` says; arguments as for `predict`."""
        if not self.metadata.has_stress:
            raise no_stress(self.path)
        dr, dv, virial = self._model.predict_with_virial(positions, velocities, cell, types)
        return dr, dv, virial
