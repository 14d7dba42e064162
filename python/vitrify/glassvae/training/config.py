"""The configuration of the training of a latent model."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrify.training.config import Config, FilesConfig, Section


class FramesConfig(FilesConfig):
    """Structures with energy, forces and stress, as `vitrify.data.frames.load_frames` reads them.

    species: in the order of the model's types. units: LAMMPS's unit system of all numbers. masses: of each species,
    where they are no elements (g/mol in metal units). times: number of noisy structures of each structure from which
    positions are decoded. held_out: share of the simulations that is kept for the validation if there are no files for
    it. validation_samples: number of structures in the validation. names: of energy, forces, stress and virial in the
    files, where they are not the usual ones. stress_unit: of the stress there (eV/A^3, GPa, kbar, bar).
    """

    species: tuple[str, ...] = Field(min_length=1)
    units: Literal["lj", "metal"] = "metal"
    masses: dict[str, Annotated[float, Field(gt=0)]] | None = None
    names: dict[Literal["energy", "forces", "stress", "virial"], str] | None = None
    stress_unit: Literal["eV/A^3", "GPa", "kbar", "bar"] | None = None
    times: int = Field(1, ge=1, le=10_000)
    held_out: float = Field(0.15, gt=0, lt=1)
    validation_samples: int = Field(32, ge=1, le=10**6)

    @model_validator(mode="after")
    def _of_all_species(self) -> Self:
        if self.masses is not None and set(self.masses) != set(self.species):
            raise ValueError(f"masses must name each of the species {', '.join(self.species)}")
        return self


class LossConfig(Section):
    """Dimensionless weights of the parts of GlassVAE's loss. Each part is about 1 for a model that gives only means.

    node: species from positions and z. edge: positions from z. energy, forces, stress: of the potential; forces and
    stress where the data have them. kl: divergence of the latent vectors from N(0, 1). rdf: partial g(r) from z.
    latent: energy and inherent energy from z alone. In the order of the fields, the paper has 1, 100, 300, -, -, 1e-4,
    10, -.
    """

    node: float = Field(default=1.0, ge=0)
    edge: float = Field(default=100.0, ge=0)
    energy: float = Field(default=300.0, ge=0)
    forces: float = Field(default=300.0, ge=0)
    stress: float = Field(default=30.0, ge=0)
    kl: float = Field(default=1e-4, ge=0)
    rdf: float = Field(default=10.0, ge=0)
    latent: float = Field(default=10.0, ge=0)


class GlassVAEConfig(Config):
    """The configuration of a latent model with energies. loss: weights of the parts of the loss."""

    data: FramesConfig
    loss: LossConfig = Field(default_factory=LossConfig)
