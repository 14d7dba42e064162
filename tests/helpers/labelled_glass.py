"""A random glass whose atoms are labelled by their neighbourhood, and the settings of a short training on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitrify.graphs.neighbours import neighbour_list

SMALL = "cutoff: 5.0, inner: 4.0, core: 1.5, basis: 3, degree: 2, shells: 2"
CONFIG = """
kind: symgnn
model: {variant: VARIANT}
data: {train: [a.npz, b.npz, c.npz], validation: [d.npz], species: [Cu, Zr], label: barrier, unit: eV}
training:
  {max_steps: 60, optimizer: adamw, batch_size: 1, learning_rate: 0.02, ema: 0.0, validate_every: 20, device: cpu}
"""


def glass(path: Path, seed: int, n: int = 120, even: bool = False) -> None:
    """Random atoms that keep their distance; the label counts neighbours, softly, with the far ones averaged in.

    even: as many atoms of one species as of the other.
    """
    rng = np.random.default_rng(seed)
    edge, points = (n / 0.06) ** (1 / 3), np.zeros((0, 3))
    while len(points) < n:
        new = rng.uniform(0, edge, 3)
        apart = points - new
        apart -= edge * np.round(apart / edge)
        if not len(points) or (apart**2).sum(1).min() > 1.8**2:
            points = np.vstack([points, new])
    types = rng.permutation(np.arange(n) % 2) if even else rng.integers(0, 2, n)
    (i, j), vectors = neighbour_list(points, edge * np.eye(3), 5.0)
    near = np.exp(-((np.linalg.norm(vectors, axis=1) / 3) ** 2)) * (1 + types[j])
    local = np.bincount(i, near, n)
    labels = 1.0 + 0.3 * types + local + 0.1 * np.bincount(i, local[j], n) / 10
    np.savez(path, positions=points, box=np.full(3, edge), types=types + 1, barrier=labels)
