"""The metadata of a SymGNN, in `vitrify.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vitrify.modelfile.metadata import Metadata, Record, Reference


class SymGNNReference(Reference):
    """The reference case of a SymGNN: the property and its standard deviation, (N,) each, in the property's unit."""

    values: tuple[float, ...]
    deviations: tuple[Annotated[float, Field(ge=0)], ...]


class Property(Record):
    """The predicted property of an atom: a name such as "barrier", and the unit, "" if it has none."""

    name: str = Field(min_length=1)
    unit: str


class SymGNNMetadata(Metadata):
    """A SymGNN: a scalar property of each atom of a structure at rest, with its standard deviation."""

    kind: Literal["symgnn"]
    reverse_edges: Literal[False]
    property: Property
    reference: SymGNNReference

    def task(self) -> tuple[str, str]:
        unit = f" ({self.property.unit})" if self.property.unit else ""
        return "property", f"{self.property.name}{unit} of each atom, with its standard deviation"

    def lammps_line(self, file: str) -> str:
        return f"compute 1 all symgnn/atom {file} {' '.join(self.species)}"

    def lammps_check(self, arguments: str, path: str) -> list[str]:
        return [f"compute 1 all symgnn/atom {arguments}"]
