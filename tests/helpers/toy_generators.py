"""Small untrained generators in model files: what they make is nearly their noise, pushed apart."""

from pathlib import Path

import torch

from vitrify.export.write import export_model
from vitrify.modelfile.metadata import Validity
from vitrify.models import System, build_model

PROPERTY = "shear_modulus"


def export_toy(path: Path, species: tuple[str, ...], *, properties=(), statistics, masses, charges=None, validity):
    """A network of width 8 with 2 layers whose answers are small, so that structures stay near their noise."""
    torch.manual_seed(0)
    system = System(species, masses, "metal", 0.0, tuple(found["name"] for found in properties))
    config = {"variant": "flow", "width": 8, "layers": 2, "cutoff": 4.0, "condition": 8, "spread": 0.2}
    model = build_model("amshortcut", config, system)
    with torch.no_grad():
        model.gate.weight.mul_(0.1)
    return export_model(
        model, path, kind="amshortcut", variant="flow", species=species, units="metal", validity=validity,
        masses=masses, properties=properties, statistics=statistics, charges=charges,
    ).path  # fmt: skip


def silicon(path: Path) -> Path:
    """Si at 0.05 atoms for each A^3, of pairs no closer than 1.5 A."""
    return export_toy(
        path, ("Si",), masses=(28.085,),
        statistics={"names": ("number_density", "fraction:Si"), "mean": (0.05, 1.0), "covariance": ((1e-6, 0), (0, 0))},
        validity=Validity(number_density=(0.045, 0.055), composition={"Si": (1.0, 1.0)}, min_distance=(1.5,)),
    )  # fmt: skip


def silica(path: Path) -> Path:
    """SiO2 with a property from 20 to 40 that goes with the density: 0.001 for each unit."""
    names = ("number_density", "fraction:Si", "fraction:O", PROPERTY)
    covariance = [[0.0] * 4 for _ in range(4)]
    covariance[0][0], covariance[0][3], covariance[3][0], covariance[3][3] = 25e-6, 25e-3, 25e-3, 25.0
    return export_toy(
        path, ("Si", "O"), masses=(28.085, 15.999), charges=(4.0, -2.0),
        properties=({"name": PROPERTY, "unit": "GPa", "range": (20.0, 40.0)},),
        statistics={"names": names, "mean": (0.066, 1 / 3, 2 / 3, 30.0), "covariance": covariance},
        validity=Validity(
            number_density=(0.05, 0.08), composition={"Si": (0.33, 0.34), "O": (0.66, 0.67)},
            min_distance=(2.0, 1.2, 1.8),
        ),
    )  # fmt: skip
