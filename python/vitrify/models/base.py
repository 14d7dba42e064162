"""What every model of vitrify has in common."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class ModelConfig(BaseModel):
    """Hyperparameters of a model: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
