"""Small files of structures with properties, and small generators, for tests of models, training and samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vitrify.generation.processes import Process, make_process
from vitrify.graphs.neighbours import neighbour_list
from vitrify.models import System, build_model

SYSTEM = System(("Si", "O"), (28.085, 15.999), "metal", 0.0, ("stiffness", "ring_size"))
# fmt: off
SMALL = {"cutoff": 4.0, "width": 8, "layers": 2}
PUBLISHED = {**SMALL, "channels": 3, "embedding": 4}
MOMENTS = {**SMALL, "backbone": "moments", "condition": 8, "splines": 8}
CONFIGS: dict[str, dict[str, Any]] = {
    "flow": {"variant": "flow", **SMALL, "condition": 8, "splines": 8},
    **{variant: {"variant": variant, **PUBLISHED} for variant in ("paper", "sde", "ode")},
    **{f"{variant}-moments": {"variant": variant, **MOMENTS} for variant in ("paper", "sde", "ode")},
}
# fmt: on


def make_generator(name: str, seed: int = 0, **settings: Any) -> torch.nn.Module:
    """A generator in float64, in evaluation, whose weights are random enough for displacements of about 0.1 to 1."""
    torch.manual_seed(seed)
    model = build_model("amshortcut", {**CONFIGS[name], **settings}, SYSTEM).double()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            size = 2.0 if "mixing.out" in key else 0.2  # the published displacements are next to nothing at first
            parameter.add_(size * torch.randn_like(parameter))
    model.calibrate(torch.tensor([30.0, 6.0]), torch.tensor([10.0, 0.5]))
    return model.eval()


def process_of(model: Any) -> Process:
    """The process that a generator belongs to."""
    return make_process(model.process, model.n_species, getattr(model, "spread", None))


def jittered(n_side: int = 3, seed: int = 0, spacing: float = 2.6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A jittered lattice in a triclinic cell: positions, cell, types."""
    rng = np.random.default_rng(seed)
    edge = spacing * n_side
    cell = np.array([[edge, 0, 0], [0.2 * edge, edge, 0], [-0.1 * edge, 0.15 * edge, edge]])
    grid = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = (grid + 0.5 + 0.12 * rng.normal(size=grid.shape)) / n_side @ cell
    return positions, cell, rng.integers(0, 2, len(grid))


def inputs_of(
    model: Any, structures: list[tuple[np.ndarray, np.ndarray, np.ndarray]], elements: list[np.ndarray],
    properties: list[list[float]] | None = None, dtype: torch.dtype = torch.float64,
) -> tuple[torch.Tensor, ...]:  # fmt: skip
    """The eight arguments of a generator for (positions, cell, anything) and elements (N, kinds) of each structure."""
    sample, index, vectors, first = [], [], [], 0
    for number, (positions, cell, _) in enumerate(structures):
        pairs, offsets = neighbour_list(positions, cell, model.cutoff)
        index.append(pairs + first)
        vectors.append(offsets)
        sample.append(np.full(len(positions), number))
        first += len(positions)
    n = len(structures)
    asked = torch.tensor(properties or [[25.0 + 4 * k, 6.3] for k in range(n)], dtype=dtype)
    return (
        torch.as_tensor(np.concatenate(elements)).to(dtype),
        torch.as_tensor(np.concatenate(sample)),
        torch.as_tensor(np.concatenate(index, axis=1)),
        torch.as_tensor(np.concatenate(vectors)).to(dtype),
        torch.linspace(0.4, 0.7, n, dtype=dtype),
        torch.linspace(0.1, 0.3, n, dtype=dtype),
        asked,
        torch.ones_like(asked),
    )


def write_crystals(path: Path, groups: int = 4, frames: int = 2, missing: int | None = None) -> None:
    """Extended XYZ with a recipe: CsCl crystals of 16 atoms, a little shaken; their property is their spacing.

    missing: this frame lacks the property.
    """
    from ase import Atoms
    from ase.io import write

    rng = np.random.default_rng(5)
    found = []
    for group in range(groups):
        spacing = 2.8 + 0.1 * group
        for _ in range(frames):
            corners = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 3)
            points = spacing * np.concatenate([corners, corners + 0.5])
            points = points + 0.05 * rng.normal(size=(16, 3))
            atoms = Atoms(["Si"] * 8 + ["O"] * 8, points, cell=[2 * spacing] * 3, pbc=True)
            atoms.info.update({"sample": group, "spacing": spacing, "ring_size": 6.0})
            found.append(atoms)
    if missing is not None:
        del found[missing].info["spacing"]
    write(path, found, format="extxyz")
    path.with_name(path.name + ".json").write_text(json.dumps({"property_units": {"spacing": "A", "ring_size": ""}}))
