"""Small trained models: data, configuration and run of each kind and variant, in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import labelled_glass
import toy_glassvae
import toy_samples
import toy_trajectories
from vitrify.training.run import train

# The variants that the native engine runs, too, and one of torch alone for each kind.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "pair": ("ogn", {"cutoff": 1.5, "reach": 0.2, "core": 0.2, "layers": 3, "scalars": 4, "hidden": 8, "basis": 8}),
    "paper": ("ogn", {"cutoff": 1.3, "layers": 1, "width": 8}),
    "exact": (
        "symgnn",
        {"cutoff": 4.5, "inner": 3.5, "core": 1.0, "basis": 4, "degree": 4, "members": 2, "fields": 2, "hidden": 4},
    ),
    "schnet": ("symgnn", {"cutoff": 4.0, "width": 8}),
    "flow": ("amshortcut", {"cutoff": 4.0, "width": 8, "layers": 2, "condition": 8, "splines": 8}),
    "ode": ("amshortcut", {"cutoff": 4.0, "width": 8, "layers": 2, "channels": 3, "embedding": 4}),
    "equivariant": ("glassvae", toy_glassvae.CONFIG),
}


def data_of(kind: str, folder: Path) -> dict[str, Any]:
    """Writes the data of a kind into `folder`; the section `data` of its configuration."""
    if kind == "ogn":
        toy_trajectories.write(folder / "train.h5", range(3))
        toy_trajectories.write(folder / "test.h5", range(10, 11))
        return {"train": ["train.h5"], "validation": ["test.h5"], "stride": 4, "validation_pairs": 9}
    if kind == "symgnn":
        for seed, name in enumerate("abc"):
            labelled_glass.glass(folder / f"{name}.npz", seed)
        return {
            "train": ["a.npz", "b.npz"], "validation": ["c.npz"], "species": ["Cu", "Zr"], "label": "barrier",
            "unit": "eV",
        }  # fmt: skip
    if kind == "amshortcut":
        toy_samples.write_crystals(folder / "c.extxyz.gz")
        properties = ["spacing", "ring_size"]
        return {"train": ["c.extxyz.gz"], "species": ["Si", "O"], "properties": properties, "held_out": 0.25}
    toy_glassvae.write_frames(folder / "f.extxyz", groups=4, frames=3)
    return {"train": ["f.extxyz"], "species": ["Cu", "Au"], "held_out": 0.25}


def trained(variant: str, folder: Path, seed: int = 1, precision: int = 32, steps: int = 12, **training: Any) -> Path:
    """The folder of a run of `variant`, which is in `folder` with its data."""
    kind, model = MODELS[variant]
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "kind": kind,
        "model": {"variant": variant, **model},
        "data": data_of(kind, folder),
        "training": {
            "seed": seed, "precision": precision, "max_steps": steps, "batch_size": 2, "validate_every": steps,
            "learning_rate": 0.01, "final_learning_rate": 0.001, "device": "cpu", **training,
        },
    }  # fmt: skip
    path = folder / f"{variant}.yaml"
    path.write_text(yaml.safe_dump(config))
    assert train(path, folder / f"{variant}.run", resume=False)
    return folder / f"{variant}.run"
