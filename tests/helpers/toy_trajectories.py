"""Trajectory files of a small two-species fluid of soft spheres, integrated here in numpy within a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitrify.data.trajectories import Trajectory, TrajectoryMeta, TrajectoryWriter

N_ATOMS, EDGE, RANGE, STIFFNESS = 24, 2.9, 1.2, 40.0
BASE_TIMESTEP, FRAME_INTERVAL = 0.01, 2
MASSES = (1.0, 2.0)


def forces(positions: np.ndarray) -> np.ndarray:
    """Harmonic repulsion below RANGE, nearest images of a cube."""
    d = positions[:, None] - positions[None]
    d -= EDGE * np.round(d / EDGE)
    r = np.sqrt((d**2).sum(-1)) + 1e9 * np.eye(len(positions))
    size = np.where(r < RANGE, STIFFNESS * (RANGE - r), 0.0)
    return ((size / r)[..., None] * d).sum(1)


def trajectory(seed: int, frames: int) -> Trajectory:
    """Velocity Verlet from a relaxed random start at temperature 1."""
    random = np.random.default_rng(seed)
    types = np.array([0, 0, 1] * (N_ATOMS // 3))
    masses = np.array(MASSES)[types][:, None]
    x = random.uniform(0, EDGE, (N_ATOMS, 3))
    for _ in range(200):
        x += 0.005 * forces(x)
    v = random.normal(size=x.shape) / np.sqrt(masses)
    v -= (masses * v).sum(0) / masses.sum()
    substeps, dt = 4 * FRAME_INTERVAL, BASE_TIMESTEP / 4
    positions, velocities = [], []
    f = forces(x)
    for step in range((frames - 1) * substeps + 1):
        if step % substeps == 0:
            positions.append(x)
            velocities.append(v)
        half = v + 0.5 * dt * f / masses
        x = x + dt * half
        f = forces(x)
        v = half + 0.5 * dt * f / masses
    speeds = np.array(velocities)
    kinetic = 0.5 * (masses * speeds**2).sum((1, 2))
    return Trajectory(
        positions=np.array(positions),
        velocities=speeds,
        cell=EDGE * np.eye(3),
        types=types,
        times=BASE_TIMESTEP * FRAME_INTERVAL * np.arange(frames),
        potential_energy=np.zeros(frames),
        kinetic_energy=kinetic,
        temperature=2 * kinetic / (3 * N_ATOMS - 3),
    )


def write(path: Path, seeds: range, frames: int = 30, **changes: object) -> Path:
    """A trajectory file with one trajectory for each seed; `changes` go into its metadata."""
    values: dict[str, object] = {
        "system": "toy",
        "units": "lj",
        "species": ("A", "B"),
        "masses": MASSES,
        "base_timestep": BASE_TIMESTEP,
        "md_timestep": BASE_TIMESTEP / 4,
        "frame_interval": FRAME_INTERVAL,
        "recipe": {"stiffness": STIFFNESS},
        "seed": seeds.start,
        "versions": {"vitrify": "0", "lammps": "none"},
    }
    with TrajectoryWriter(path, TrajectoryMeta(**{**values, **changes})) as writer:  # type: ignore[arg-type]
        for seed in seeds:
            writer.append(trajectory(seed, frames))
    return path
