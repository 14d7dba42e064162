"""Random numbers that are functions of seed, stream, step and atom alone, so that every host draws the same ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 10
_MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], dtype=np.uint64)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox(counters: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Philox4x32-10 (Salmon et al., SC11, table 2): random 32-bit integers (n, 4) of counters (n, 4) and one key.

    The integers are held in uint64, so that products of two of them do not overflow.
    """
    x = counters.astype(np.uint64)
    keys = list(key)
    for _ in range(_ROUNDS):
        a, b = _MULTIPLIERS[0] * x[:, 0], _MULTIPLIERS[1] * x[:, 2]
        first, second = np.uint64(keys[0]), np.uint64(keys[1])
        x = np.stack([(b >> _SHIFT) ^ x[:, 1] ^ first, b & _LOW, (a >> _SHIFT) ^ x[:, 3] ^ second, a & _LOW], axis=1)
        keys = [(k + w) & 0xFFFFFFFF for k, w in zip(keys, _WEYL, strict=True)]
    return x


def normal3(ids: NDArray[np.int64], step: int, seed: int, stream: int) -> NDArray[np.float64]:
    """Standard normal numbers (n, 3) for the atoms `ids` (n,) (LAMMPS IDs, from 1) at `step`, by Box and Muller.

    `fix ogn` draws the same numbers. Its two half-steps of Langevin noise take the streams 0 and 1.
    """
    counters = np.empty((len(ids), 4), dtype=np.uint64)
    counters[:, 0], counters[:, 1] = ids.astype(np.uint64) & _LOW, ids.astype(np.uint64) >> _SHIFT
    counters[:, 2], counters[:, 3] = step & 0xFFFFFFFF, step >> 32
    integers = philox(counters, (seed & 0xFFFFFFFF, stream)).astype(np.float64)
    radius = np.sqrt(-2.0 * np.log((integers[:, [0, 2]] + 0.5) / 2.0**32))
    angle = 2.0 * np.pi * integers[:, [1, 3]] / 2.0**32
    return np.stack(
        [
            radius[:, 0] * np.cos(angle[:, 0]),
            radius[:, 0] * np.sin(angle[:, 0]),
            radius[:, 1] * np.cos(angle[:, 1]),
        ],
        axis=1,
    )


def uniform(counters: NDArray[np.int64], seed: int, stream: int) -> NDArray[np.float64]:
    """Uniform random numbers (n,) in the open interval (0, 1), for counters (n,) of one stream of one seed."""
    full = np.zeros((len(counters), 4), dtype=np.uint64)
    full[:, 0] = counters.astype(np.uint64) & _LOW
    return (philox(full, (seed & 0xFFFFFFFF, stream))[:, 0].astype(np.float64) + 0.5) / 2.0**32
