"""Small model files for tests: untrained, but with weights at which the network does something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vitrify.export.write import export_model
from vitrify.modelfile.metadata import Validity
from vitrify.models import System, build_model
from vitrify.ogn.torchscript import TorchOGN

LJ = System(species=("A", "B"), masses=(1.0, 2.0), units="lj", timestep=0.025)
METAL = System(species=("Cu", "Zr"), masses=(63.546, 91.224), units="metal", timestep=0.010)
VALIDITY = {
    "lj": Validity(temperature=(2.7, 3.3), number_density=(1.1, 1.3), composition={"A": (0.7, 0.9), "B": (0.1, 0.3)}),
    "metal": Validity(
        temperature=(1400, 1600),
        number_density=(0.055, 0.065),
        composition={"Cu": (0.6, 0.7), "Zr": (0.3, 0.4)},
    ),
}
CONFIGS: dict[tuple[str, str], dict[str, Any]] = {
    ("pair", "lj"): {"variant": "pair", "cutoff": 2.0, "scalars": 4, "hidden": 8, "basis": 8},
    ("pair", "metal"): {
        "variant": "pair",
        "cutoff": 4.5,
        "reach": 0.5,
        "core": 1.5,
        "scalars": 4,
        "hidden": 8,
        "basis": 8,
    },
    ("paper", "lj"): {"variant": "paper", "cutoff": 2.0, "layers": 2},
    ("paper", "metal"): {"variant": "paper", "cutoff": 4.5, "layers": 2},
}


def make_model(
    variant: str = "pair",
    units: str = "lj",
    seed: int = 0,
    masses: tuple[float, ...] | None = None,
    **hyperparameters: Any,
) -> nn.Module:
    """An eager model with random weights, tempered to move atoms by as little as a trained one."""
    torch.manual_seed(seed)
    config = {**CONFIGS[variant, units], **hyperparameters}
    system = LJ if units == "lj" else METAL
    model: nn.Module = build_model("ogn", config, replace(system, masses=masses or system.masses))
    with torch.no_grad():
        if variant == "pair":  # which starts as leapfrog, without its many-body terms
            for name, parameter in model.named_parameters():
                if "filters" not in name:
                    parameter.add_(0.1 * torch.randn_like(parameter))
        model.dr_scale.fill_(0.01 if units == "lj" else 0.03)
        model.dv_scale.fill_(0.5 if units == "lj" else 3.0)
        if variant == "paper":
            model.outputs.std.copy_(torch.tensor([0.04] * 3 + [0.5] * 3))
    return model


def export(
    path: Path,
    variant: str = "pair",
    units: str = "lj",
    dtype: str = "float32",
    hyperparameters: dict[str, Any] | None = None,
    **settings: Any,
) -> TorchOGN:
    """A model file of `make_model(variant, units, **hyperparameters)`; `settings` go to `export_model`."""
    system = LJ if units == "lj" else METAL
    given: dict[str, Any] = {
        "kind": "ogn",
        "variant": variant,
        "species": system.species,
        "masses": system.masses,
        "units": units,
        "base_timestep": system.timestep / 5,
        "stride": 5,
        "validity": VALIDITY[units],
        "dtype": dtype,
    }
    model = make_model(variant, units, masses=settings.get("masses"), **hyperparameters or {})
    return export_model(model, path, **{**given, **settings})
