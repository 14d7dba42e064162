"""The prediction of a model of energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EnergyPrediction:
    """The prediction of a model of energies for one structure, in the model's units.

    energies: (N,) of the atoms. forces: (N, 3). stress: (3, 3), the derivative of the energy with respect to strain,
    over the volume. latent: (L,), the latent vector. stresses: (N, 3, 3), the share of each atom in the stress, which
    is their sum: half of each pair's belongs to either atom; None where nobody has computed it.
    """

    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    latent: NDArray[np.float64]
    stresses: NDArray[np.float64] | None = None

    @property
    def energy(self) -> float:
        """The energy of the whole cell."""
        return float(self.energies.sum())
