"""Small untrained generators as model files, for tests of the sampler and of create_glass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vitrify.export.write import export_model
from vitrify.modelfile.metadata import Validity
from vitrify.models import System, build_model

NETWORK = {"variant": "flow", "cutoff": 4.5, "width": 8, "layers": 2, "condition": 8, "splines": 8, "spread": 0.3}
PROPERTIES = [
    {"name": "shear_modulus", "unit": "GPa", "range": [20.0, 40.0]},
    {"name": "ring_size", "unit": "", "range": [5.0, 7.0]},
]
# number density, fractions of Si and O (which add up to 1), shear modulus, ring size
SPREADS = np.array(
    [
        [1.0, 0.3, -0.3, 0.8, 0.1],
        [0.3, 1.0, -1.0, 0.5, -0.2],
        [-0.3, -1.0, 1.0, -0.5, 0.2],
        [0.8, 0.5, -0.5, 1.0, 0.0],
        [0.1, -0.2, 0.2, 0.0, 1.0],
    ]
) * np.outer([0.001, 0.01, 0.01, 4.0, 0.5], [0.001, 0.01, 0.01, 4.0, 0.5])
SILICA: dict[str, Any] = {
    "species": ("Si", "O"),
    "masses": (28.085, 15.999),
    "units": "metal",
    "validity": Validity(
        number_density=(0.062, 0.070), composition={"Si": (0.3, 0.37), "O": (0.63, 0.7)}, min_distance=(2.3, 1.4, 2.0)
    ),
    "properties": PROPERTIES,
    "statistics": {
        "names": ["number_density", "fraction:Si", "fraction:O", "shear_modulus", "ring_size"],
        "mean": [0.066, 1 / 3, 2 / 3, 30.0, 6.0],
        "covariance": SPREADS.tolist(),
    },
    "charges": (2.4, -1.2),
}
SILICON: dict[str, Any] = {
    "species": ("Si",),
    "masses": (28.085,),
    "units": "metal",
    "validity": Validity(number_density=(0.047, 0.053), composition={"Si": (1.0, 1.0)}, min_distance=(2.1,)),
    "properties": [],
    "statistics": {"names": ["number_density", "fraction:Si"], "mean": [0.05, 1.0], "covariance": [[1e-6, 0], [0, 0]]},
}
REDUCED: dict[str, Any] = {
    "species": ("A", "B"),
    "masses": (1.0, 2.0),
    "units": "lj",
    "validity": Validity(number_density=(1.1, 1.3), composition={"A": (0.8, 0.8), "B": (0.2, 0.2)}),
    "properties": [],
    "statistics": {
        "names": ["number_density", "fraction:A", "fraction:B"], "mean": [1.2, 0.8, 0.2], "covariance": [[0.0] * 3] * 3
    },
}  # fmt: skip


def make_network(glass: dict[str, Any] = SILICA, seed: int = 0, size: float = 0.05, **settings: Any) -> nn.Module:
    """The eager network in float64, with weights that move atoms by some tenths of A; size 0: not at all."""
    names = tuple(found["name"] for found in glass["properties"])
    torch.manual_seed(seed)
    system = System(glass["species"], glass["masses"], glass["units"], 0.0, names)
    if glass["units"] == "lj":
        settings = {"cutoff": 2.0, "spread": 0.1, **settings}
    model: Any = build_model("amshortcut", {**NETWORK, **settings}, system).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        model.gate.weight.mul_(size)
        model.gate.bias.mul_(size)
    if names:
        model.calibrate(torch.tensor([30.0, 6.0]), torch.tensor([4.0, 0.5]))
    return model.eval()


def write_glass(path: Path, glass: dict[str, Any] = SILICA, dtype: str = "float64", **changes: Any) -> Path:
    """The model file of a network; `changes` are of `make_network` or of `export_model`."""
    own = {name: changes.pop(name) for name in ("seed", "size", *NETWORK) if name in changes}
    given = {"kind": "amshortcut", "variant": "flow", "dtype": dtype, **glass, **changes}
    return export_model(make_network(glass, **own), path, **given).path


def cube(n: int, density: float) -> np.ndarray:
    """A cell (3, 3) for n atoms."""
    return np.eye(3) * (n / density) ** (1 / 3)


def oblique(n: int, density: float) -> np.ndarray:
    """The same, triclinic, as LAMMPS has it."""
    cell = np.array([[1.0, 0, 0], [0.25, 1.1, 0], [-0.3, 0.2, 0.9]])
    return cell * (n / density / abs(np.linalg.det(cell))) ** (1 / 3)
