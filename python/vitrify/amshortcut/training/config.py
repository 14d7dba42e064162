"""The configuration of the training of a generator."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrify.training.config import Config, FilesConfig


class SamplesConfig(FilesConfig):
    """Whole structures with properties of each, as `vitrify.data.samples.load_samples` reads them.

    species: in the order of the model's types. properties: names in the files that the model is conditioned on. units:
    LAMMPS's unit system, which gives lengths theirs. masses: of species that are no elements. charges: formal ones, for
    compositions that must be neutral. times: a structure with its noise is shown at so many times. held_out: without
    `validation`, this share of the simulations is kept for it. validation_samples: validate on this many structures.
    """

    species: tuple[str, ...] = Field(min_length=1)
    properties: tuple[str, ...] = ()
    units: Literal["lj", "metal"] = "metal"
    masses: dict[str, Annotated[float, Field(gt=0)]] | None = None
    charges: dict[str, float] | None = None
    times: int = Field(1, ge=1)
    held_out: float = Field(0.1, gt=0, lt=1)
    validation_samples: int = Field(32, ge=1)

    @model_validator(mode="after")
    def _of_all_species(self) -> Self:
        for given in (self.masses, self.charges):
            if given is not None and set(given) != set(self.species):
                raise ValueError(f"masses and charges must name each of the species {', '.join(self.species)}")
        return self


class AMShortcutConfig(Config):
    """The configuration of a generator."""

    data: SamplesConfig
