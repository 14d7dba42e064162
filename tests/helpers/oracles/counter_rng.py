"""The random numbers of cpp/base/counter_rng.h and the lattice of cpp/generation/flow_start.h, written in numpy."""

from __future__ import annotations

import math

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


def lattice(cell: np.ndarray, n: int, seed: int, species: int = 0) -> np.ndarray:
    """n sites (n, 3) of a species, spread evenly over any periodic cell: layers of rows of equidistant sites.

    The numbers of layers and rows are those of a simple cubic lattice, as nearly as the cell allows. The phases of
    layers and rows are random. No part of the cell gets more than its share of the atoms; uniformly random sites would
    leave voids that a network with a finite range cannot fill.
    """
    volume = abs(float(np.linalg.det(cell)))
    spacing = (volume / n) ** (1 / 3)
    heights = [volume / float(np.linalg.norm(np.cross(cell[(k + 1) % 3], cell[(k + 2) % 3]))) for k in range(3)]
    layers, rows = (min(n, max(1, math.floor(heights[k] / spacing + 0.5))) for k in (2, 1))
    phases = uniform(np.arange(1 + layers + layers * rows), seed, 2 + 8 * species)
    fractional = np.empty((n, 3))
    first = 0
    for layer in range(layers):
        of_layer = (layer + 1) * n // layers - layer * n // layers
        for row in range(rows):
            k = (row + 1) * of_layer // rows - row * of_layer // rows
            places = slice(first, first + k)
            fractional[places, 0] = (np.arange(k) + phases[1 + layers + layer * rows + row]) / max(k, 1)
            fractional[places, 1] = (row + phases[1 + layer]) / rows
            fractional[places, 2] = (layer + phases[0]) / layers
            first += k
    sites: np.ndarray = fractional @ cell
    return sites
