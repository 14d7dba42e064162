"""The rules of the guard, as C++ has them and Python gets them."""

from __future__ import annotations

import numpy as np
import pytest

from vitrify import VitrifyError
from vitrify.engines.native import _core

LIMITS = {"max_displacement": 0.5, "highest_temperature": 300.0}


def test_each_limit_is_held_and_described() -> None:
    guard = _core.Guard(species=["A", "B"], min_distance=[1.0, 0.9, 1.1], **LIMITS)
    assert guard.refuse_temperature(300.0) == "" and "above" in guard.refuse_temperature(1000.0)
    assert not guard.refuse_distances([1.0, 0.9, 1.1])
    close = guard.refuse_distances([1.0, 0.1, 1.1])
    assert (close.first, close.second, close.value) == (1, 0, 0.1)
    assert "atoms 3 and 8 (A and B) are 0.1 apart" in guard.describe(close, 3, 8)
    moved = np.zeros((4, 3))
    moved[2, 1] = 7.0
    far = guard.refuse_displacements(moved, np.zeros(3))
    assert far.atom == 2 and "moves atom 9 by 7" in guard.describe(far, 9)


def test_sizes_that_contradict_the_species_are_refused() -> None:
    with pytest.raises(VitrifyError, match="one value for each pair of species"):
        _core.Guard(species=["A"] * 3000, min_distance=[1.0], **LIMITS)
    guard = _core.Guard(species=["A", "B"], min_distance=[1.0, 0.9, 1.1], **LIMITS)
    with pytest.raises(VitrifyError, match="one closest distance for each pair"):
        guard.refuse_distances([1.0])
    refusal = guard.refuse_distances([1.0, 0.9, 0.2])
    with pytest.raises(VitrifyError, match="of another guard"):
        _core.Guard(species=["A"], min_distance=[1.0], **LIMITS).describe(refusal, 1, 2)
