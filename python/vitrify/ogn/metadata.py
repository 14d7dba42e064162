"""The metadata of an OGN, in `vitrify.json`."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from vitrify.modelfile.metadata import (
    Metadata,
    Range,
    Record,
    Reference,
    Rows,
    Validity,
    is_none,
    require_masses,
    span,
)

Virial = tuple[float, float, float, float, float, float]


class OGNReference(Reference):
    """The reference case of an OGN: velocities, and the changes dr, dv of one stride, (N, 3) each.

    virial: xx, yy, zz, xy, xz, yz of the whole case, of a model that gives the stress of a stride.
    """

    velocities: Rows
    dr: Rows
    dv: Rows
    virial: Virial | None = Field(None, exclude_if=is_none)


class OGNValidity(Validity):
    """The range of the training data of a model of dynamics; the temperature is never missing."""

    temperature: Range


class StressAccuracy(Record):
    """The errors of the stress of a stride on trajectories that its fit has not seen.

    unit: of all pressures. rms: root mean square error of the pressure of a stride. bias: largest mean error of a
    trajectory, which is one temperature and density. spread: standard deviation of MD's pressures. shear_r, shear_rms:
    correlation and root mean square error of the components off the diagonal. strides, trajectories: numbers of those
    in the comparison. atoms: fewest of a trajectory in it. temperature, number_density: ranges of the data of the fit.
    ridge: relative penalty on large weights. data: files of the fit (name, sha256, recipe).
    """

    unit: str
    rms: float = Field(ge=0)
    bias: float = Field(ge=0)
    spread: float = Field(ge=0)
    shear_r: float
    shear_rms: float = Field(ge=0)
    strides: int = Field(ge=1)
    trajectories: int = Field(ge=1)
    atoms: int = Field(ge=1)
    temperature: Range
    number_density: Range
    ridge: float = Field(ge=0)
    data: tuple[dict[str, Any], ...] = ()


class OGNMetadata(Metadata):
    """An OGN: it moves atoms by `timestep` = `stride` x `base_timestep` in one prediction.

    masses: one for each species. stride: number of MD steps. base_timestep, timestep: in the unit of time. stress: what
    the stress of a stride is worth, of models that give it.
    """

    kind: Literal["ogn"]
    masses: tuple[float, ...]
    stride: int = Field(ge=1)
    base_timestep: float = Field(gt=0)
    timestep: float = Field(gt=0)
    validity: OGNValidity
    reference: OGNReference
    stress: StressAccuracy | None = Field(None, exclude_if=is_none)

    @model_validator(mode="after")
    def _motion_agrees(self) -> Self:
        require_masses(self.masses, self.species)
        if abs(self.timestep - self.stride * self.base_timestep) > 1e-9 * self.timestep:
            raise ValueError(f"timestep {self.timestep} is not stride {self.stride} x {self.base_timestep}")
        return self

    @property
    def has_stress(self) -> bool:
        """Whether the model gives the stress of a stride."""
        return self.reference.virial is not None

    def species_text(self) -> str:
        return ", ".join(f"{name} (mass {mass:g})" for name, mass in zip(self.species, self.masses, strict=True))

    def task(self) -> tuple[str, str]:
        return "timestep", f"{self.timestep:g} = {self.stride} x {self.base_timestep:g}"

    def also_gives(self) -> list[tuple[str, str]]:
        if not self.has_stress:
            return [("stress", "none: `vitrify stress` gives the model the stress of a stride")]
        known = self.stress
        if known is None:
            return [("stress", "of a stride; its errors are not recorded")]
        errors = f"rms {known.rms:.3g}, bias at most {known.bias:.3g}, spread {known.spread:.3g} {known.unit}"
        shear = f"shear r = {known.shear_r:.4f}"
        place = f"T {span(known.temperature)}, {span(known.number_density)} atoms per volume"
        return [("stress", f"of a stride; pressure: {errors}; {shear}; fitted at {place}")]

    def lammps_line(self, file: str) -> str:
        return f"timestep {self.timestep:g}; fix 1 all ogn {file} {' '.join(self.species)}"

    def lammps_check(self, arguments: str, path: str) -> list[str]:
        return [f"timestep {self.timestep!r}", f"fix 1 all ogn {arguments}"]

    def lammps_masses(self) -> list[str]:
        return [f"mass {number} {mass!r}" for number, mass in enumerate(self.masses, 1)]
