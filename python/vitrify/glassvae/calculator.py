"""The properties of a latent model in `GlassCalc`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrify.core.validation import require_finite
from vitrify.engines.interface import EnergyPredictor

_VOIGT = (np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1]))  # xx, yy, zz, yz, xz, xy


def results(
    model: EnergyPredictor, positions: NDArray[np.float64], cell: NDArray[np.float64], types: NDArray[np.int64]
) -> dict[str, Any]:
    """Energy, energies of the atoms (N,), forces (N, 3), stress (6,) in Voigt's order, latent vector (L,), by name.

    positions: (N, 3). cell: (3, 3) rows. types: (N,) from 0. Raises VitrifyError for results that are not finite.
    """
    # Optimisers compare energies, whose differences near a minimum are far below what single precision holds.
    found = model.predict(positions, cell, types, in_double=True)
    require_finite(found.energies, "energy")
    require_finite(found.forces.sum(1), "force")
    return {
        "energy": found.energy,
        "free_energy": found.energy,
        "energies": found.energies,
        "forces": found.forces,
        "stress": found.stress[_VOIGT],
        "latent": found.latent,
    }
