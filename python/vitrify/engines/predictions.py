"""What a latent model says of a structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EnergyPrediction:
    """Energies (N,) of the atoms, forces (N, 3), stress (3, 3) and latent vector (L,), in the model's units.

    The stress is the derivative of the energy by the strain, over the volume.
    """

    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    latent: NDArray[np.float64]

    @property
    def energy(self) -> float:
        """Of the whole cell."""
        return float(self.energies.sum())
