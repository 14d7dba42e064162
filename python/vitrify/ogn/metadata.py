"""The metadata of an OGN, in `vitrify.json`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from vitrify.modelfile.metadata import Metadata, Range, Reference, Rows, Validity, require_masses


class OGNReference(Reference):
    """The reference case of an OGN: velocities, and the changes dr, dv of one stride, (N, 3) each."""

    velocities: Rows
    dr: Rows
    dv: Rows


class OGNValidity(Validity):
    """The range of the training data of a model of dynamics; the temperature is never missing."""

    temperature: Range


class OGNMetadata(Metadata):
    """An OGN: it moves atoms by `timestep` = `stride` x `base_timestep` in one prediction.

    masses: one for each species. stride: number of MD steps. base_timestep, timestep: in the unit of time.
    """

    kind: Literal["ogn"]
    masses: tuple[float, ...]
    stride: int = Field(ge=1)
    base_timestep: float = Field(gt=0)
    timestep: float = Field(gt=0)
    validity: OGNValidity
    reference: OGNReference

    @model_validator(mode="after")
    def _motion_agrees(self) -> Self:
        require_masses(self.masses, self.species)
        if abs(self.timestep - self.stride * self.base_timestep) > 1e-9 * self.timestep:
            raise ValueError(f"timestep {self.timestep} is not stride {self.stride} x {self.base_timestep}")
        return self

    def species_text(self) -> str:
        return ", ".join(f"{name} (mass {mass:g})" for name, mass in zip(self.species, self.masses, strict=True))

    def task(self) -> tuple[str, str]:
        return "timestep", f"{self.timestep:g} = {self.stride} x {self.base_timestep:g}"

    def lammps_line(self, file: str) -> str:
        return f"timestep {self.timestep:g}; fix 1 all ogn {file} {' '.join(self.species)}"

    def lammps_check(self, arguments: str, path: str) -> list[str]:
        return [f"timestep {self.timestep!r}", f"fix 1 all ogn {arguments}"]

    def lammps_masses(self) -> list[str]:
        return [f"mass {number} {mass!r}" for number, mass in enumerate(self.masses, 1)]
