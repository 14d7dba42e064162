"""The base classes of all models: hyperparameters, and the material that a model is built for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict
from torch import nn


class ModelConfig(BaseModel):
    """Hyperparameters of a model: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# Name -> (class of the configuration, class of the module); a module is built from a configuration and a System.
Variants: TypeAlias = dict[str, tuple[type[ModelConfig], type[nn.Module]]]


@dataclass(frozen=True)
class System:
    """The material that a model is built for.

    species: element symbols or Lennard-Jones labels, in the order of the model's types. masses: one for each species
    (g/mol in metal units). units: LAMMPS's unit system, "lj" or "metal". timestep: length of one stride (ps in metal
    units, tau in lj), 0 for models at rest. properties: names of the properties that a generator is conditioned on.
    """

    species: tuple[str, ...]
    masses: tuple[float, ...]
    units: str
    timestep: float
    properties: tuple[str, ...] = ()
