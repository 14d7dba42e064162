"""Untrained exact SymGNN models of every shape that the native engine runs, and glasses for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from symgnn_variants import quartic_table
from vitrify.export.write import export_model
from vitrify.modelfile.metadata import Validity
from vitrify.models import System, build_model

Array = np.ndarray
Case = tuple[Array, Array, Array]
NAMES, DENSITY = ("Cu", "Zr", "Al"), 0.06
SHAPES: dict[str, dict[str, Any]] = {
    "default": {},
    "network": {"basis": 12, "degree": 5, "shells": 5, "members": 4, "fields": 4, "hidden": 32, "stiffness": True},
    "no angles": {"degree": 0, "basis": 3, "hidden": 1},
    "high degree": {"degree": 9, "basis": 17, "hidden": 5},
    "smallest": {"members": 1, "fields": 1, "shells": 1, "basis": 2, "degree": 1},
    "odd sizes": {"members": 5, "fields": 3, "shells": 14, "basis": 9, "degree": 3, "hidden": 19},
    "stiff and small": {"members": 1, "fields": 1, "cutoff": 5.0, "inner": 5.0, "stiffness": True},
    "short": {"cutoff": 4.5, "inner": 4.5, "core": 0.0, "degree": 4},
}


def make_model(shape: str = "default", n_species: int = 2, seed: int = 0) -> Any:
    """A model whose every weight and buffer is random, as a file holds it."""
    torch.manual_seed(seed)
    model = build_model("symgnn", {"variant": "exact", **SHAPES[shape]}, System(NAMES[:n_species], (), "metal", 0.0))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_((0.02 if name == "field_weight" else 0.3) * torch.randn_like(parameter))
        model.centre.uniform_(0.0, 1.0)
        model.whiten.copy_(torch.diag(torch.rand(len(model.centre)) + 0.3))
        if model.stiffness:
            model.use_potential(quartic_table(n_species, model.core, model.cutoff))
        model.shell_scale.uniform_(0.1, 0.3)
        model.label_mean.uniform_(1.0, 1.5)
        model.label_scale.fill_(0.3)
        model.residual.fill_(0.4)
        model.spread_gain.fill_(3.0)
    return model.eval().exportable()


def write(path: Path, model: Any, dtype: str = "float32") -> Path:
    names = NAMES[: model.n_species]
    return export_model(
        model, path, kind="symgnn", variant="exact", species=names, units="metal", dtype=dtype,
        validity=Validity(number_density=(0.055, 0.065), composition=dict.fromkeys(names, (0.0, 1.0))),
        property={"name": "barrier", "unit": "eV"},
    ).path  # fmt: skip


def glass(n_side: int = 5, tilt: float = 0.2, n_species: int = 2, seed: int = 0) -> Case:
    """positions, cell, types of a jittered lattice, with atoms outside of the cell."""
    rng = np.random.default_rng(seed)
    edge = n_side * DENSITY ** (-1 / 3)
    cell = edge * np.array([[1.0, 0, 0], [tilt, 1.0, 0], [-0.5 * tilt, 0.7 * tilt, 1.0]])
    grid = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = (grid + 0.1 * rng.standard_normal(grid.shape)) / n_side @ cell
    positions += rng.integers(-2, 3, positions.shape) @ cell
    return positions, cell, rng.integers(0, n_species, len(positions))
