"""A latent model in the native engine."""

from __future__ import annotations

import os
from typing import Any

from vitrify import _core
from vitrify.engines.native import Array, MeasuredNativeBase, core_errors, flow_velocity
from vitrify.engines.predictions import EnergyPrediction, stress_of
from vitrify.glassvae.metadata import GlassVAEMetadata


class NativeGlassVAE(MeasuredNativeBase):
    """A latent model of variant equivariant in the native engine."""

    kind = "glassvae"
    compiled = "NativeGlassVAE"
    metadata: GlassVAEMetadata

    def predict(self, positions: Any, cell: Any, types: Any, in_double: bool = False) -> EnergyPrediction:
        """Energies of the atoms, forces, stresses and latent vector, float64, in the model's units.

        positions: (N, 3). cell: (3, 3) rows, any. types: (N,) from 0. in_double: compute in double precision, whatever
        the precision of the model. Threads may share the model; they take turns.
        """
        energies, forces, virial, virials, latent = self._model.predict(positions, cell, types, in_double)
        return EnergyPrediction(energies, forces, stress_of(virial, cell), latent, stress_of(virials, cell))

    def decode(self, positions: Any, cell: Any, elements: Any, time: float, step: float, z: Any) -> tuple[Array, Array]:
        """The decoder's mean velocity (N, 3) over a step, and zeros (N, kinds), for latent vector z (L,).

        positions: (N, 3). cell: (3, 3) rows. elements: (N, kinds), one-hot. time, step: in [0, 1]. Each call reads the
        file again; `vitrify.engines.native.make_generator` is the fast way to make structures.
        """
        with core_errors():
            decoder = _core.NativeFlowNetwork(os.fsencode(self.path))
        return flow_velocity(decoder, positions, cell, elements, time, step, z)
