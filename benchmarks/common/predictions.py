"""Untrained models, and timed predictions of a model in a process of their own, on a jittered lattice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.datagen.trajectories.systems import System as Recipe


def untrained_model(path: Path, network: dict[str, Any], recipe: Recipe, stride: int) -> Any:
    """Writes an untrained OGN of a network's settings for the system of a recipe; returns its metadata."""
    import torch

    from vitrify.export.write import export_model
    from vitrify.modelfile.metadata import Validity
    from vitrify.models import System, build_model

    torch.manual_seed(0)
    system = System(recipe.species, recipe.masses, recipe.units, stride * recipe.base_timestep)
    density = recipe.n_atoms / recipe.box**3
    validity = Validity(
        temperature=(recipe.temperature, recipe.temperature),
        number_density=(density, density),
        composition=dict.fromkeys(recipe.species, (0.0, 1.0)),
    )
    return export_model(
        build_model("ogn", network, system), path, kind="ogn", variant="pair", species=system.species,
        masses=system.masses, units=system.units, base_timestep=recipe.base_timestep, stride=stride, validity=validity,
    ).metadata  # fmt: skip


def jittered_lattice(atoms: int, density: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, 3) of about so many atoms and their cubic cell (3, 3), in rows as a sorted LAMMPS has them."""
    side = round(atoms ** (1 / 3))
    spacing = density ** (-1 / 3)
    grid = np.array(np.meshgrid(*[range(side)] * 3, indexing="ij")).reshape(3, -1).T
    return spacing * (grid + 0.1 * rng.standard_normal(grid.shape)), side * spacing * np.eye(3)


def measure(
    script: str, model: Path, case: Path, repeats: int, instructions: str, threads: int = 1
) -> dict[str, float] | None:
    """Seconds of a prediction and bytes held; None for instructions that this processor does not have.

    script: a Python program that takes the model, the case and the repeats, and prints both numbers as JSON.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "VITRIFY_SIMD": instructions}
    command = [sys.executable, "-c", script, str(model), str(case), str(repeats)]
    done = subprocess.run(command, env=environment, text=True, capture_output=True)
    if "VITRIFY_SIMD is" in done.stderr:
        return None
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found
