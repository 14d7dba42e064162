"""A Kob-Andersen glass at its energy minimum, in reduced units, and the potential of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from vitrify.datagen.barriers.region import Box, Glass, minimise_glass

COMMANDS = (
    "pair_style lj/smooth/linear 2.5",
    "pair_coeff 1 1 1.0 1.0 2.5",
    "pair_coeff 1 2 1.5 0.8 2.0",
    "pair_coeff 2 2 0.5 0.88 2.2",
)
POTENTIAL = "; ".join(COMMANDS)


@cache
def lj_glass(n: int = 60, tilt: float = 0.0, seed: int = 1) -> Glass:
    """n atoms at a density of 1.2: a shaken lattice that is melted at T = 1.5, and cooled to 0.1 if it is small."""
    rng = np.random.default_rng(seed)
    side = (n / 1.2) ** (1 / 3)
    cell = np.array([[side, 0.0, 0.0], [tilt * side, side, 0.0], [0.0, -tilt * side, side]])
    points = int(np.ceil(n ** (1 / 3)))
    lattice = np.stack(np.meshgrid(*[np.arange(points) / points] * 3), -1).reshape(-1, 3)
    chosen = lattice[rng.permutation(len(lattice))[:n]]
    positions = (chosen @ cell) + rng.normal(size=(n, 3)) * 0.1
    types = np.where(rng.random(n) < 0.2, 1, 0)
    box = Box(Glass(positions, cell, types, (1.0, 1.0), "lj", COMMANDS), None)
    box.place(positions, types)
    steps = 60_000 if n < 200 else 300
    box.run(
        "minimize 0 0.1 200 2000", f"velocity all create 1.5 {seed}", "timestep 0.004", "fix move all nve",
        f"fix bath all langevin 1.5 0.1 1.0 {seed}", f"run {steps}",
    )  # fmt: skip
    melted = np.array(box.lmp.gather_atoms("x", 1, 3)).reshape(-1, 3)
    box.close()
    return minimise_glass(Glass(melted, cell, types, (1.0, 1.0), "lj", COMMANDS), 1e-3)


def save(glass: Glass, path: Path) -> Path:
    """As an npz file of structures."""
    np.savez(path, positions=glass.positions, cell=glass.cell, types=glass.types + 1)
    return path
