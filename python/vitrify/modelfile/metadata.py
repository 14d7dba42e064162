"""What `vitrify.json` in a model file says of the model: one class for each kind, checked.

Its reference case is a small structure with what the model answers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vitrify.core.errors import VitrifyError

SCHEMA = 1
METADATA_NAME = "vitrify.json"
REFERENCE_TOLERANCE = {"float32": 1e-5, "float64": 1e-10}

Range = tuple[float, float]
Rows = tuple[tuple[float, float, float], ...]


class _Record(BaseModel):
    # A newer writer may add keys within a schema version; older readers pass them over.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, populate_by_name=True)


def _is_none(value: object) -> bool:
    return value is None


class Validity(_Record):
    """The range of the training data: atoms per volume, the fraction of each species, and what moves them.

    min_distance: the smallest distance of each pair of species a >= b, at a (a + 1) / 2 + b. temperature and
    max_displacement (the largest |dr| of an atom over one stride) concern models that move atoms; max_deviation (the
    standard deviation that 99% of the training atoms stay below) concerns ensembles that predict a property. Each of
    these may be missing.
    """

    temperature: Range | None = Field(None, exclude_if=_is_none)
    number_density: Range
    composition: dict[str, Range]
    min_distance: tuple[Annotated[float, Field(ge=0)], ...] | None = Field(None, exclude_if=_is_none)
    max_displacement: float | None = Field(None, gt=0, exclude_if=_is_none)
    max_deviation: float | None = Field(None, gt=0, exclude_if=_is_none)


class OGNValidity(Validity):
    """The range of a model of dynamics, which has a temperature."""

    temperature: Range


class Provenance(_Record):
    """What made the model: config, data files (name, sha256, recipe), seed, optimiser steps, versions."""

    config: dict[str, Any] = {}
    data: tuple[dict[str, Any], ...] = ()
    seed: int | None = None
    steps: int | None = None
    versions: dict[str, str | None] = {}


class Reference(_Record):
    """A small periodic structure with the expected output of the model, in the model's units.

    cell (3, 3) rows, lower-triangular; positions (N, 3); species (N,). The tolerance is on the largest deviation
    over the root mean square of the output, for each of the two outputs.
    """

    cell: Rows
    positions: Rows
    species: tuple[str, ...] = Field(min_length=1)
    tolerance: float = Field(gt=0)

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        """Every array but the cell has one entry for each atom."""
        arrays = [value for name, value in self if name not in ("cell", "tolerance")]
        if len({len(array) for array in arrays}) != 1 or len(self.cell) != 3:
            raise ValueError("the reference case needs three cell vectors and arrays of one length")
        return self


class OGNReference(Reference):
    """The reference case of an OGN: velocities, and dr, dv of one stride, (N, 3) each."""

    velocities: Rows
    dr: Rows
    dv: Rows


class SymGNNReference(Reference):
    """The reference case of a SymGNN: the property and its standard deviation, (N,) each."""

    values: tuple[float, ...]
    deviations: tuple[Annotated[float, Field(ge=0)], ...]


class AMShortcutReference(Reference):
    """The reference case of a generator: what it is asked, and the displacements (N, 3) that its network answers.

    properties: None where a property is not asked for.
    """

    time: float = Field(ge=0, le=1)
    step: float = Field(ge=0, le=1)
    properties: tuple[float | None, ...]
    vectors: Rows

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        """Every array of atoms has one entry for each."""
        if len({len(array) for array in (self.positions, self.species, self.vectors)}) != 1 or len(self.cell) != 3:
            raise ValueError("the reference case needs three cell vectors and arrays of one length")
        return self


class Decoded(_Record):
    """What a decoder of positions answers, told a time, a step and the latent vector: displacements (N, 3)."""

    time: float = Field(ge=0, le=1)
    step: float = Field(ge=0, le=1)
    vectors: Rows


class GlassVAEReference(Reference):
    """The reference case of a latent model: the energy of the cell, forces (N, 3), stress (3, 3), latent vector.

    decoded: of a model that makes structures; older files lack it.
    """

    energy: float
    forces: Rows
    stress: Rows
    latent: tuple[float, ...] = Field(min_length=1)
    decoded: Decoded | None = Field(None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        """Every array of atoms has one entry for each."""
        decoded = (self.decoded.vectors,) if self.decoded else ()
        atoms = {len(array) for array in (self.positions, self.species, self.forces, *decoded)}
        if len(atoms) != 1 or (len(self.cell), len(self.stress)) != (3, 3):
            raise ValueError("the reference case needs three cell vectors, a stress and arrays of one length")
        return self


class Metadata(_Record):
    """`vitrify.json`, schema 1: what a host must know of a model of any kind before it runs it.

    hyperparameters: what the native engine needs beside the weights; empty if only TorchScript can run the model.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    kind: str
    variant: str
    species: tuple[str, ...] = Field(min_length=1)
    units: Literal["lj", "metal"]
    dtype: Literal["float32", "float64"]
    cutoff: float = Field(gt=0)
    layers: int = Field(ge=1)
    hyperparameters: dict[str, Any] = {}
    node_width: int = Field(ge=1)
    reverse_edges: bool
    validity: Validity
    provenance: Provenance = Provenance()
    metrics: dict[str, Any] = {}
    citation: str = ""
    reference: Reference

    @model_validator(mode="after")
    def _species_agree(self) -> Self:
        if len(set(self.species)) != len(self.species):
            raise ValueError(f"species {self.species} repeat")
        n_pairs = len(self.species) * (len(self.species) + 1) // 2
        if self.validity.min_distance is not None and len(self.validity.min_distance) != n_pairs:
            raise ValueError(
                f"min_distance has {len(self.validity.min_distance)} values, the species make {n_pairs} pairs"
            )
        unknown = set(self.reference.species) - set(self.species)
        if unknown:
            raise ValueError(f"the reference case holds {sorted(unknown)}, which are not species of the model")
        return self

    def to_json(self) -> str:
        """The text of `vitrify.json`."""
        return self.model_dump_json(by_alias=True)


class OGNMetadata(Metadata):
    """An OGN: it moves atoms of given masses by `timestep` = `stride` x `base_timestep` in one prediction."""

    kind: Literal["ogn"]
    masses: tuple[float, ...]
    stride: int = Field(ge=1)
    base_timestep: float = Field(gt=0)
    timestep: float = Field(gt=0)
    validity: OGNValidity
    reference: OGNReference

    @model_validator(mode="after")
    def _motion_agrees(self) -> Self:
        if len(self.masses) != len(self.species) or min(self.masses) <= 0:
            raise ValueError(f"masses {self.masses} must be positive, one for each of the species {self.species}")
        if abs(self.timestep - self.stride * self.base_timestep) > 1e-9 * self.timestep:
            raise ValueError(f"timestep {self.timestep} is not stride {self.stride} x {self.base_timestep}")
        return self


class Property(_Record):
    """What a SymGNN predicts of each atom: a name such as "barrier" and its unit, "" if it has none."""

    name: str = Field(min_length=1)
    unit: str


class SymGNNMetadata(Metadata):
    """A SymGNN: a scalar property of each atom of a structure at rest, with its standard deviation."""

    kind: Literal["symgnn"]
    reverse_edges: Literal[False]
    property: Property
    reference: SymGNNReference


class Target(_Record):
    """A property that a generator can be asked for: its name, its unit ("" if it has none), the range of the data."""

    name: str = Field(min_length=1)
    unit: str
    range: Range


class Statistics(_Record):
    """Means and covariance of number density, fractions of the species and properties, over the training data.

    names: "number_density", "fraction:Si", ..., then the properties.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _square(self) -> Self:
        if {len(self.names), len(self.mean), len(self.covariance), *map(len, self.covariance)} != {len(self.names)}:
            raise ValueError("the statistics need a mean and a row of covariances for each name")
        return self


class AMShortcutMetadata(Metadata):
    """A generator: it makes structures from noise by a `process`.

    masses (g/mol in metal units) and charges (in elementary charges, 0 for all where neutrality does not matter): one
    for each species. ghost_density: atoms and ghosts together per volume, for models that choose their density.
    """

    kind: Literal["amshortcut"]
    reverse_edges: Literal[False]
    process: Literal["flow", "ode", "sde", "shortcut"]
    masses: tuple[float, ...]
    charges: tuple[float, ...] | None = None
    ghost_density: float | None = Field(None, gt=0, exclude_if=_is_none)
    properties: tuple[Target, ...] = ()
    statistics: Statistics
    reference: AMShortcutReference

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        n = len(self.species)
        if len(self.masses) != n or min(self.masses) <= 0:
            raise ValueError(f"masses {self.masses} must be positive, one for each of the species {self.species}")
        if self.charges is not None and len(self.charges) != n:
            raise ValueError(f"charges {self.charges} must be one for each of the species {self.species}")
        names = ("number_density", *(f"fraction:{s}" for s in self.species), *(p.name for p in self.properties))
        if self.statistics.names != names:
            raise ValueError(f"the statistics are of {self.statistics.names}, not of {names}")
        if len(self.reference.properties) != len(self.properties):
            raise ValueError("the reference case needs a value or null for each property")
        return self


class GlassVAEMetadata(Metadata):
    """A latent model of a glass: energy, forces, stress and a latent vector of a structure; perhaps new structures.

    latent: length of the latent vector z. latent_energy: what the density of z is joint with, for each atom; its range
    holds 98% of the density. statistics: number density, fractions of the species and z, which tell the cell that goes
    with a z. These three may be missing, in a model that makes no structures.
    """

    kind: Literal["glassvae"]
    reverse_edges: Literal[False]
    masses: tuple[float, ...]
    latent: int = Field(ge=1)
    latent_energy: Literal["inherent_energy", "energy"] | None = Field(None, exclude_if=_is_none)
    latent_energy_range: Range | None = Field(None, exclude_if=_is_none)
    statistics: Statistics | None = Field(None, exclude_if=_is_none)
    reference: GlassVAEReference

    @property
    def in_lammps(self) -> bool:
        """False for variants whose atoms exchange more than totals, or are numbered: neither exists for ghosts."""
        return self.variant == "equivariant"

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if len(self.masses) != len(self.species) or min(self.masses) <= 0:
            raise ValueError(f"masses {self.masses} must be positive, one for each of the species {self.species}")
        if len(self.reference.latent) != self.latent:
            raise ValueError(f"the reference case has {len(self.reference.latent)} latent numbers, not {self.latent}")
        names = ("number_density", *(f"fraction:{s}" for s in self.species), *(f"z{i}" for i in range(self.latent)))
        if self.statistics is not None and self.statistics.names != names:
            raise ValueError(f"the statistics are of {self.statistics.names}, not of {names}")
        return self


AnyMetadata: TypeAlias = OGNMetadata | SymGNNMetadata | AMShortcutMetadata | GlassVAEMetadata
_CLASSES: dict[str, type[AnyMetadata]] = {
    "ogn": OGNMetadata,
    "symgnn": SymGNNMetadata,
    "amshortcut": AMShortcutMetadata,
    "glassvae": GlassVAEMetadata,
}
KINDS = tuple(_CLASSES)


def parse_metadata(text: str | bytes, path: Path) -> AnyMetadata:
    """Checks the content of `vitrify.json`; schema and kind come first, so that a newer file says so."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise VitrifyError(f"{path}: {METADATA_NAME} is not JSON ({error}): export the model again") from None
    if not isinstance(values, dict):
        raise VitrifyError(f"{path}: {METADATA_NAME} holds {type(values).__name__}, not an object: export it again")
    if values.get("schema") != SCHEMA:
        raise VitrifyError(
            f"{path} has schema {values.get('schema')!r}, this vitrify reads schema {SCHEMA}: "
            "update vitrify, or export the model with this version"
        )
    return make_metadata(values, path)


def make_metadata(values: dict[str, Any], path: str | Path) -> AnyMetadata:
    """The metadata of `path` from their values, as the class of their kind; VitrifyError names what is wrong."""
    if values.get("kind") not in KINDS:
        raise VitrifyError(
            f"{path} holds a model of kind {values.get('kind')!r}, this vitrify runs {', '.join(KINDS)}: update vitrify"
        )
    try:
        return _CLASSES[values["kind"]].model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or METADATA_NAME
        raise VitrifyError(f"{path}: bad metadata, {where}: {first['msg']}: export the model again") from None
