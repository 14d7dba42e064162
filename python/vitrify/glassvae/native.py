"""A latent model in the native engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from vitrify import _core
from vitrify.engines.native import Array, MeasuredNativeModel, core_errors, flow_velocity
from vitrify.engines.predictions import EnergyPrediction
from vitrify.glassvae.metadata import GlassVAEMetadata


class NativeGlassVAE(MeasuredNativeModel):
    """A latent model of variant equivariant, ready to run."""

    kind = "glassvae"
    compiled = "NativeGlassVAE"
    metadata: GlassVAEMetadata

    def predict(self, positions: Any, cell: Any, types: Any) -> EnergyPrediction:
        """Energies of the atoms, forces, stress and latent vector, float64, in the model's units.

        positions (N, 3), cell (3, 3) rows, any cell; types (N,) 0-based. Threads may share the model; they take turns.
        """
        energies, forces, virial, latent = self._model.predict(positions, cell, types)
        xx, yy, zz, xy, xz, yz = -virial / abs(float(np.linalg.det(cell)))
        return EnergyPrediction(energies, forces, np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]), latent)

    def decode(self, positions: Any, cell: Any, elements: Any, time: float, step: float, z: Any) -> tuple[Array, Array]:
        """The decoder's mean velocity (N, 3) over a step, and zeros (N, kinds), for one-hot elements and z (L,).

        Each call reads the file anew: what makes structures is `vitrify.engines.native.make_generator`.
        """
        with core_errors():
            decoder = _core.NativeFlowNetwork(str(self.path))
        return flow_velocity(decoder, positions, cell, elements, time, step, z)
