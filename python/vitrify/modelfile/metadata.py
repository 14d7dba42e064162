"""The metadata of a model file, `vitrify.json`, as validated classes: the parts that all kinds share.

Each kind has a class of its own, with its reference case: a small structure, and the outputs of the model for it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError
from vitrify.kinds import KINDS

SCHEMA = 1
METADATA_NAME = "vitrify.json"
REFERENCE_TOLERANCE = {"float32": 1e-5, "float64": 1e-10}

Range = tuple[float, float]
Rows = tuple[tuple[float, float, float], ...]


class Record(BaseModel):
    """Base of the parts of `vitrify.json`: immutable, without NaN or infinity."""

    # A newer writer may add keys within a schema version; older readers ignore them.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, populate_by_name=True)


def is_none(value: object) -> bool:
    """Whether an optional field is missing, so that it is not written."""
    return value is None


class Validity(Record):
    """The range of the training data, (lowest, highest) each, in the model's units.

    temperature: of models that move atoms. number_density: atoms per volume. composition: fraction of each species.
    min_distance: smallest distance of each pair of species a >= b, at a (a + 1) / 2 + b. max_displacement: largest |dr|
    of an atom over one stride, of models that move atoms. max_deviation: standard deviation that 99% of the training
    atoms stay below, in the unit of the property, of ensembles that predict one. Only number_density and composition
    are always there.
    """

    temperature: Range | None = Field(None, exclude_if=is_none)
    number_density: Range
    composition: dict[str, Range]
    min_distance: tuple[Annotated[float, Field(ge=0)], ...] | None = Field(None, exclude_if=is_none)
    max_displacement: float | None = Field(None, gt=0, exclude_if=is_none)
    max_deviation: float | None = Field(None, gt=0, exclude_if=is_none)


class Provenance(Record):
    """The origin of the model: training configuration, data files (name, sha256, recipe), seed, steps, versions."""

    config: dict[str, Any] = {}
    data: tuple[dict[str, Any], ...] = ()
    seed: int | None = None
    steps: int | None = None
    versions: dict[str, str | None] = {}


class Reference(Record):
    """A small periodic structure; each kind adds the outputs of its model for it, in the model's units.

    cell: (3, 3) rows, lower-triangular. positions: (N, 3). species: (N,). tolerance: on the largest deviation of any
    output over the root mean square of that output. tolerances: the same of each output, in the order of the part
    `replay`; older files lack them.
    """

    cell: Rows
    positions: Rows
    species: tuple[str, ...] = Field(min_length=1)
    tolerance: float = Field(gt=0)
    tolerances: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(None, exclude_if=is_none)

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        """Every array but the cell has one entry for each atom."""
        arrays = [value for name, value in self if name not in ("cell", "tolerance", "tolerances", "virial")]
        if len({len(array) for array in arrays}) != 1 or len(self.cell) != 3:
            raise ValueError("the reference case needs three cell vectors and arrays of one length")
        return self


class Metadata(Record):
    """`vitrify.json`, schema 1: the description of a model that a host needs before it runs it.

    species: in the order of the model's types. units: LAMMPS's unit system. dtype: precision of the weights. cutoff: of
    the graph, in the unit of length. layers, node_width: number of layers, and features of a node that ranks exchange
    after each. network: the section `model:` of the configuration from which the network can be built again; empty in
    older files. hyperparameters: sizes that the native engine needs beside the weights; empty if only TorchScript can
    run the model. reverse_edges: whether edges from ghosts to owned atoms are needed too. metrics: figures of the
    validation, in the model's units.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    kind: str
    variant: str
    species: tuple[str, ...] = Field(min_length=1)
    units: Literal["lj", "metal"]
    dtype: Literal["float32", "float64"]
    cutoff: float = Field(gt=0)
    layers: int = Field(ge=1)
    network: dict[str, Any] = {}
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

    # Texts and commands for `vitrify info` and `vitrify doctor`; each kind overrides them.

    def species_text(self) -> str:
        """The species as text."""
        return ", ".join(self.species)

    def task(self) -> tuple[str, str]:
        """The result of one prediction, as a heading and its text."""
        return "kind", self.kind

    def also_gives(self) -> list[tuple[str, str]]:
        """Further results, which only this kind has, as rows of heading and text."""
        return []

    def own_range(self) -> list[tuple[str, str]]:
        """Further ranges of the training data, which only this kind has, as rows of heading and text."""
        return []

    @property
    def in_lammps(self) -> bool:
        """Whether LAMMPS has a style that runs the model."""
        return bool(KINDS[self.kind].styles)

    def lammps_line(self, file: str) -> str:
        """The commands that use the model file in LAMMPS; or "no: ...", with the host that runs it instead."""
        return "no: Python runs it"

    def lammps_check(self, arguments: str, path: str) -> list[str]:
        """Commands of LAMMPS that replay the reference case in an empty box.

        arguments: quoted file, species, and the keywords engine and check. path: of the file.
        """
        raise VitrifyError(f"no style of LAMMPS runs a model of kind {self.kind}")

    def lammps_masses(self) -> list[str]:
        """Commands of LAMMPS that set masses in an empty box that the style accepts."""
        return ["mass * 1.0"]


class Target(Record):
    """A property that can be requested of a generator.

    unit: "" if it has none. range: of the training data, in this unit.
    """

    name: str = Field(min_length=1)
    unit: str
    range: Range


class Statistics(Record):
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


def require_masses(masses: tuple[float, ...], species: tuple[str, ...]) -> None:
    """Raises ValueError unless there is a positive mass for each species."""
    if len(masses) != len(species) or min(masses) <= 0:
        raise ValueError(f"masses {masses} must be positive, one for each of the species {species}")


def span(limits: Range) -> str:
    """A range as text, with four digits."""
    low, high = limits
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def parse_metadata(text: bytes, path: Path) -> Metadata:
    """The metadata in the text of `vitrify.json`; `path` is for messages.

    JSON is read in C++ first, which refuses what readers take in different ways: keys that stand there twice, NaN,
    numbers beyond double precision, other encodings than UTF-8. Schema and kind are validated next, so that the message
    for a newer file says that it is newer. What LAMMPS refuses is refused at last. Raises VitrifyError for text that is
    no metadata of this schema.
    """
    _core.check_json(text, os.fsencode(path))
    values = json.loads(text)
    if not isinstance(values, dict):
        raise VitrifyError(f"{path}: {METADATA_NAME} holds {type(values).__name__}, not an object: export it again")
    if values.get("schema") != SCHEMA:
        raise VitrifyError(
            f"{path} has schema {str(values.get('schema'))[:40]!r}, this vitrify reads schema {SCHEMA}: "
            "update vitrify, or export the model with this version"
        )
    found = make_metadata(values, path)
    _core.check_metadata(text, os.fsencode(path))
    return found


def make_metadata(values: dict[str, Any], path: str | Path) -> Metadata:
    """The metadata with these values, as the class of their kind; VitrifyError names the first wrong value."""
    if values.get("kind") not in KINDS:
        raise VitrifyError(
            f"{path} holds a model of kind {str(values.get('kind'))[:40]!r}, this vitrify runs {', '.join(KINDS)}: "
            "update vitrify"
        )
    try:
        found: Metadata = KINDS[values["kind"]].load("metadata").model_validate(values)
        return found
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or METADATA_NAME
        raise VitrifyError(f"{path}: bad metadata, {where}: {first['msg']}: export the model again") from None
    # of validators that meet odd numbers
    except (ArithmeticError, RecursionError, TypeError, ValueError) as error:
        raise VitrifyError(f"{path}: bad metadata ({error}): export the model again") from None
