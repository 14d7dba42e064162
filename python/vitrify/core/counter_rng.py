"""Random numbers that are functions of seed, stream, step and atom alone, so that every host draws the same ones.

The generator is cpp/base/counter_rng.h, and its streams are those of cpp/base/random_streams.h.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitrify.core.compiled import _core

Stream = _core.Stream


def normal3(ids: NDArray[np.int64], step: int, seed: int, stream: int) -> NDArray[np.float64]:
    """Standard normal numbers (n, 3) for the atoms `ids` (n,) (LAMMPS IDs, from 1) at `step`."""
    numbers: NDArray[np.float64] = _core.normal3(ids, step, seed, stream)
    return numbers


def uniform(counters: NDArray[np.int64], seed: int, stream: int) -> NDArray[np.float64]:
    """Uniform random numbers (n,) in the open interval (0, 1), for counters (n,) of one stream of one seed."""
    numbers: NDArray[np.float64] = _core.uniform(counters, seed, stream)
    return numbers
