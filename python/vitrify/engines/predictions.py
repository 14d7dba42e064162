"""The prediction of a model of energies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EnergyPrediction:
    """The prediction of a model of energies for one structure, in the model's units.

    energies: (N,) of the atoms. forces: (N, 3). stress: (3, 3), the derivative of the energy with respect to strain,
    over the volume. latent: (L,), the latent vector.
    """

    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    latent: NDArray[np.float64]

    @property
    def energy(self) -> float:
        """The energy of the whole cell."""
        return float(self.energies.sum())


def stress_of(virial: NDArray[np.float64], cell: Any) -> NDArray[np.float64]:
    """The stress (3, 3) that goes with a virial (6,) of C++, xx, yy, zz, xy, xz, yz, in a cell (3, 3) rows."""
    xx, yy, zz, xy, xz, yz = -virial / abs(float(np.linalg.det(cell)))
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
