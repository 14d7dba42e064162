"""Untrained GlassVAE models of every shape that the native engine runs, and glasses for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

import toy_glassvae
from vitrify.export.write import export_model
from vitrify.glassvae.models.equivariant import EquivariantGlassVAE
from vitrify.modelfile.metadata import Validity
from vitrify.models import System, build_model

Array = np.ndarray
Case = tuple[Array, Array, Array]
NAMES, MASSES = ("Cu", "Zr", "Al"), (63.546, 91.224, 26.982)
SHAPES: dict[str, tuple[int, dict[str, Any]]] = {
    "small": (2, {}),
    "default sizes": (2, {"cutoff": 6.5, "splines": 24, "width": 32, "hidden": 64, "latent": 16, "summary": 24}),
    "odd sizes": (3, {"width": 40, "hidden": 21, "latent": 3, "summary": 5, "splines": 9, "cutoff": 5.1, "start": 2.6}),
    "one species": (1, {"width": 8, "hidden": 8, "latent": 1, "summary": 1, "start": 0.0, "cutoff": 3.7}),
}


def system_of(n_species: int) -> System:
    return System(NAMES[:n_species], MASSES[:n_species], "metal", 0.0)


def make_model(shape: str) -> EquivariantGlassVAE:
    """Eager, with random numbers in every weight and buffer that its energy reads."""
    n_species, changes = SHAPES[shape]
    torch.manual_seed(0)
    model = build_model("glassvae", {**toy_glassvae.CONFIG, **changes}, system_of(n_species))
    assert isinstance(model, EquivariantGlassVAE)
    with torch.no_grad():
        for part in (model.fusion, model.energy.latent):
            for weight in part.parameters():
                weight.normal_(0.0, 0.3)
        model.reference.uniform_(-4.0, -3.0)
        model.energy_scale.fill_(0.7)
        model.invariants.shift.normal_()
        model.invariants.scale.uniform_(0.5, 2.0)
        model.pooled_shift.normal_()
        model.pooled_scale.uniform_(1.0, 3.0)
        model.least.uniform_(2.0, 2.6)
        model.least[0, 0] = 0.0  # a pair that is not in the data
    return model.eval()


def write_model(path: Path, model: Any, n_species: int, dtype: str, variant: str = "equivariant") -> Path:
    return export_model(
        model, path, kind="glassvae", variant=variant, species=NAMES[:n_species], units="metal", dtype=dtype,
        masses=MASSES[:n_species], validity=Validity(number_density=(0.06, 0.09), composition={}),
    ).path  # fmt: skip


def write(path: Path, shape: str = "small", dtype: str = "float64") -> Path:
    return write_model(path, make_model(shape), SHAPES[shape][0], dtype)


def glass(n: int = 2, tilt: float = 0.2, n_species: int = 2, seed: int = 0) -> Case:
    """positions, cell, types of a rattled lattice in a skewed cell, with atoms outside of it."""
    rng, atoms = np.random.default_rng(seed), toy_glassvae.glass(n, tilt, seed)
    cell = atoms.cell.array
    positions = atoms.positions + rng.integers(-2, 3, atoms.positions.shape) @ cell
    return positions, cell, rng.permutation(np.arange(len(atoms)) % n_species)
