"""What every model of vitrify has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict
from torch import nn


class ModelConfig(BaseModel):
    """Hyperparameters of a model: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# Name -> configuration and module, which is built of a configuration and a System.
Variants: TypeAlias = dict[str, tuple[type[ModelConfig], type[nn.Module]]]


@dataclass(frozen=True)
class System:
    """The material that a model is built for.

    species: element symbols or Lennard-Jones labels, in the order of the model's type index.
    masses: one for each species (g/mol in metal units). timestep: length of one stride in the units' time.
    """

    species: tuple[str, ...]
    masses: tuple[float, ...]
    units: str
    timestep: float
    properties: tuple[str, ...] = ()
