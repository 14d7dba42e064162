"""The base classes of all models: hyperparameters, and the material that a model is built for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, model_validator
from torch import nn

from vitrify.core.errors import shown

# Largest whole number of any hyperparameter (widths, layers, atoms), and largest cutoff (A; sigma): beyond them no
# model can be built, or no atom's neighbours fit into memory.
LARGEST_SIZE = 4096
LONGEST_CUTOFF = 50.0


class ModelConfig(BaseModel):
    """Hyperparameters of a model: frozen, finite, of sizes that can be built, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        largest, name = max(_sizes(self), default=(0, ""))
        if largest > LARGEST_SIZE:
            raise ValueError(f"{name} is {shown(largest)}, more than {LARGEST_SIZE}: give a smaller model")
        cutoff = getattr(self, "cutoff", 0.0)
        if cutoff > LONGEST_CUTOFF:
            raise ValueError(f"cutoff is {cutoff:g}, more than {LONGEST_CUTOFF:g}: give a shorter one")
        return self


def largest_size(config: ModelConfig) -> int:
    """The largest whole number among the hyperparameters, also in their sections."""
    return max(_sizes(config), default=(0, ""))[0]


def _sizes(config: ModelConfig) -> Iterator[tuple[int, str]]:
    """The whole numbers among the hyperparameters, with their names."""
    for name in type(config).model_fields:
        value: Any = getattr(config, name)
        if isinstance(value, ModelConfig):
            yield from _sizes(value)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int):
                yield number, name


# Name -> (class of the configuration, class of the module or function that makes it); a module is built from a
# configuration and a System.
Variants: TypeAlias = dict[str, tuple[type[ModelConfig], Callable[..., nn.Module]]]


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
