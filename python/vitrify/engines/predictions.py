"""The prediction of a model of energies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MATRIX = np.array([[0, 3, 4], [3, 1, 5], [4, 5, 2]])  # the six numbers of a virial as a symmetric matrix


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


def stress_of(virial: NDArray[np.float64], cell: Any) -> NDArray[np.float64]:
    """The stress (..., 3, 3) that goes with a virial (..., 6) of C++, xx, yy, zz, xy, xz, yz, in a cell (3, 3) rows."""
    return -virial[..., _MATRIX] / abs(float(np.linalg.det(cell)))
