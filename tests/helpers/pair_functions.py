"""Pair functions for the tests of models with stiffness."""

from __future__ import annotations

import numpy as np
import torch

from vitrify.symgnn.models.stiffness import KNOTS


def quartic(r: np.ndarray, end: float, strength: float) -> np.ndarray:
    """psi, psi'/r and psi'' of psi = strength (end - r)^4 at distances below `end`: (K, 3)."""
    rest = np.clip(end - r, 0.0, None)
    return strength * np.stack([rest**4, -4 * rest**3 / np.maximum(r, 1e-9), 12 * rest**2], 1)


def quartic_table(n_species: int, start: float, end: float) -> torch.Tensor:
    """A table for `use_potential`, another strength for each pair of species: the mean stiffness is about one."""
    r = np.linspace(start, end, KNOTS)
    pairs = n_species * (n_species + 1) // 2
    return torch.tensor(np.stack([quartic(r, end, (1 + 0.3 * k) * 1.3 / end**2 / pairs) for k in range(pairs)]))
