"""Untrained OGN models of every shape that the native engine runs, and liquids for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from vitrify.export.write import export_model
from vitrify.modelfile.metadata import Validity
from vitrify.models import System, build_model

Array = np.ndarray
NAMES, MASSES = ("A", "B", "C"), (1.1, 2.3, 63.546)  # not numbers of single precision
SHAPES: dict[str, dict[str, Any]] = {
    "default": {},
    "narrow": {"channels": 1, "scalars": 1, "layers": 2, "hidden": 3},
    "wide": {"channels": 3, "scalars": 8, "hidden": 20, "layers": 3},
    "general": {"channels": 5, "scalars": 14, "layers": 3},
    "two cutoffs": {"inner": 1.5, "far": (1, 3), "channels": 2},
    "angles": {"moments": 1, "channels": 1},
    "angles, two cutoffs": {"moments": 1, "channels": 2, "inner": 1.5, "far": (2,)},
    "angles, general": {"moments": 1, "channels": 4, "scalars": 6, "layers": 3},
}


def make_model(shape: str = "default", n_species: int = 2, seed: int = 0, stress: int = 0) -> Any:
    """A model whose every weight differs from its start, tempered to move atoms about as a trained one does."""
    torch.manual_seed(seed)
    config = {"variant": "pair", "cutoff": 2.1, "basis": 16, "stress": stress, **SHAPES[shape]}
    model = build_model("ogn", config, System(NAMES[:n_species], MASSES[:n_species], "lj", 0.025))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "filters" not in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
        model.dv_scale.fill_(0.5)
        for weight in model.stress.parameters() if stress else ():
            weight.copy_(torch.randn_like(weight))
    return model


def write(path: Path, model: Any, dtype: str = "float32") -> Path:
    n = model.n_species
    shares = dict.fromkeys(NAMES[:n], (0.0, 1.0))
    validity = Validity(temperature=(2.7, 3.3), number_density=(1.1, 1.3), composition=shares)
    export_model(
        model, path, kind="ogn", variant="pair", species=NAMES[:n], masses=MASSES[:n], units="lj",
        base_timestep=0.005, stride=5, validity=validity, dtype=dtype,
    )  # fmt: skip
    return path


def liquid(n_side: int = 5, tilt: float = 0.2, n_species: int = 2, seed: int = 0) -> tuple[Array, Array, Array, Array]:
    """positions, velocities, cell, types of a jittered lattice at density 1.2, with atoms outside of the cell."""
    rng = np.random.default_rng(seed)
    edge = n_side * 1.2 ** (-1 / 3)
    cell = edge * np.array([[1.0, 0, 0], [tilt, 1.0, 0], [-0.5 * tilt, 0.7 * tilt, 1.0]])
    grid = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = (grid + 0.1 * rng.standard_normal(grid.shape)) / n_side @ cell
    positions += rng.integers(-2, 3, positions.shape) @ cell
    types = rng.integers(0, n_species, len(positions))
    return positions, 1.5 * rng.standard_normal(positions.shape), cell, types
