"""Compares a structure with the range of a model's training data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitrify.modelfile.metadata import Validity

# A density that was written and read again may differ in its last digits.
_ROUNDING = 1e-6


def outside(types: NDArray[np.int64], volume: float, species: tuple[str, ...], validity: Validity) -> dict[str, str]:
    """The quantities of a structure that lie outside the training data: name -> sentence with the range.

    types: (N,) from 0. volume: of the cell, in the unit of length cubed. A fraction may miss its range by half an atom,
    since a small system cannot always meet it.
    """
    found, n = {}, len(types)
    low, high = validity.number_density
    if not low * (1 - _ROUNDING) <= n / volume <= high * (1 + _ROUNDING):
        found["number density"] = f"{n / volume:.4g} atoms per volume, the training data have {low:.4g} to {high:.4g}"
    for index, name in enumerate(species):
        low, high = validity.composition.get(name, (0.0, 1.0))
        share, slack = float(np.mean(types == index)), 0.5 / n + _ROUNDING
        if not low - slack <= share <= high + slack:
            found[name] = f"a fraction {share:.4g} of {name}, the training data have {low:.4g} to {high:.4g}"
    return found
