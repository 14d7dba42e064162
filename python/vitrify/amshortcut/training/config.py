"""The configuration of the training of a generator."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrify.training.config import Config, FilesConfig


class SamplesConfig(FilesConfig):
    """Whole structures with properties of each, as `vitrify.data.samples.load_samples` reads them.

    species: in the order of the model's types. properties: names of the properties in the files on which the model is
    conditioned. units: LAMMPS's unit system of lengths and masses. masses: of each species, where they are no elements
    (g/mol in metal units). charges: formal charges of each species, in elementary charges, for compositions that must
    be neutral. times: number of times in [0, 1] at which a structure with one noise is used. held_out: share of the
    simulations that is kept for the validation if there are no files for it. validation_samples: number of structures
    in the validation. atom_style: of LAMMPS data files that do not name theirs.
    """

    species: tuple[str, ...] = Field(min_length=1)
    properties: tuple[str, ...] = ()
    atom_style: str | None = None
    units: Literal["lj", "metal"] = "metal"
    masses: dict[str, Annotated[float, Field(gt=0)]] | None = None
    charges: dict[str, float] | None = None
    times: int = Field(1, ge=1, le=10_000)
    held_out: float = Field(0.1, gt=0, lt=1)
    validation_samples: int = Field(32, ge=1, le=10**6)

    @model_validator(mode="after")
    def _of_all_species(self) -> Self:
        for given in (self.masses, self.charges):
            if given is not None and set(given) != set(self.species):
                raise ValueError(f"masses and charges must name each of the species {', '.join(self.species)}")
        return self


class AMShortcutConfig(Config):
    """The configuration of a generator."""

    data: SamplesConfig
