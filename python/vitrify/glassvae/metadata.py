"""The metadata of a latent model, in `vitrify.json`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from vitrify.modelfile.metadata import (
    Metadata,
    Range,
    Record,
    Reference,
    Rows,
    Statistics,
    is_none,
    require_masses,
    span,
)


class Decoded(Record):
    """The displacements (N, 3) of the decoder of positions, for a time and a step in [0, 1] and the latent vector."""

    time: float = Field(ge=0, le=1)
    step: float = Field(ge=0, le=1)
    vectors: Rows


class GlassVAEReference(Reference):
    """The reference case of a latent model: the energy of the cell, forces (N, 3), stress (3, 3), latent vector.

    decoded: for models that make structures; older files lack it.
    """

    energy: float
    forces: Rows
    stress: Rows
    latent: tuple[float, ...] = Field(min_length=1)
    decoded: Decoded | None = Field(None, exclude_if=is_none)

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        """Every array of atoms has one entry for each."""
        decoded = (self.decoded.vectors,) if self.decoded else ()
        atoms = {len(array) for array in (self.positions, self.species, self.forces, *decoded)}
        if len(atoms) != 1 or (len(self.cell), len(self.stress)) != (3, 3):
            raise ValueError("the reference case needs three cell vectors, a stress and arrays of one length")
        return self


class GlassVAEMetadata(Metadata):
    """A latent model of a glass: energy, forces, stress and a latent vector of a structure; some make new structures.

    masses: one for each species. latent: length of the latent vector z. The other fields are missing in a model that
    makes no structures: latent_energy, the energy for each atom in the joint density of z and energy;
    latent_energy_range, which holds 98% of this density, in the unit of energy; statistics of number density, fractions
    of the species and z, from which the cell that goes with a z follows.
    """

    kind: Literal["glassvae"]
    reverse_edges: Literal[False]
    masses: tuple[float, ...]
    latent: int = Field(ge=1)
    latent_energy: Literal["inherent_energy", "energy"] | None = Field(None, exclude_if=is_none)
    latent_energy_range: Range | None = Field(None, exclude_if=is_none)
    statistics: Statistics | None = Field(None, exclude_if=is_none)
    reference: GlassVAEReference

    @property
    def in_lammps(self) -> bool:
        """False for variants that exchange features of nodes, or number the atoms: LAMMPS's ghosts have neither."""
        return self.variant == "equivariant"

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        require_masses(self.masses, self.species)
        if len(self.reference.latent) != self.latent:
            raise ValueError(f"the reference case has {len(self.reference.latent)} latent numbers, not {self.latent}")
        names = ("number_density", *(f"fraction:{s}" for s in self.species), *(f"z{i}" for i in range(self.latent)))
        if self.statistics is not None and self.statistics.names != names:
            raise ValueError(f"the statistics are of {self.statistics.names}, not of {names}")
        return self

    def task(self) -> tuple[str, str]:
        return "gives", f"energy, forces, stress and a latent vector of {self.latent} numbers"

    def own_range(self) -> list[tuple[str, str]]:
        if not self.latent_energy_range:
            return []
        name = (self.latent_energy or "").replace("_", " ")
        energies = f"{name} {span(self.latent_energy_range)} for each atom"
        return [("latent", f"{energies}: vitrify generate --energy low:high")]

    def lammps_line(self, file: str) -> str:
        if not self.in_lammps:
            return "no: GlassCalc runs it in ASE"
        return f"pair_style glassvae; pair_coeff * * {file} {' '.join(self.species)}"

    def lammps_check(self, arguments: str, path: str) -> list[str]:
        return ["pair_style glassvae", f"pair_coeff * * {arguments}"]
