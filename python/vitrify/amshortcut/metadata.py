"""The metadata of a generator, in `vitrify.json`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from vitrify.modelfile.metadata import Metadata, Reference, Rows, Statistics, Target, is_none, require_masses, span


class AMShortcutReference(Reference):
    """The reference case of a generator: the inputs of its network, and the displacements (N, 3) that it gives.

    time, step: in [0, 1]. properties: (P,) in their units, None where one is not requested.
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


class AMShortcutMetadata(Metadata):
    """A generator: it makes structures from noise by a `process`.

    masses: one for each species (g/mol in metal units). charges: one for each species, in elementary charges, for
    compositions that must be neutral. ghost_density: number of atoms and ghosts per volume, for models that choose the
    density. properties: that can be requested. statistics: of density, composition and properties in the training data.
    """

    kind: Literal["amshortcut"]
    reverse_edges: Literal[False]
    process: Literal["flow", "ode", "sde", "shortcut"]
    masses: tuple[float, ...]
    charges: tuple[float, ...] | None = None
    ghost_density: float | None = Field(None, gt=0, exclude_if=is_none)
    properties: tuple[Target, ...] = ()
    statistics: Statistics
    reference: AMShortcutReference

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        n = len(self.species)
        require_masses(self.masses, self.species)
        if self.charges is not None and len(self.charges) != n:
            raise ValueError(f"charges {self.charges} must be one for each of the species {self.species}")
        names = ("number_density", *(f"fraction:{s}" for s in self.species), *(p.name for p in self.properties))
        if self.statistics.names != names:
            raise ValueError(f"the statistics are of {self.statistics.names}, not of {names}")
        if len(self.reference.properties) != len(self.properties):
            raise ValueError("the reference case needs a value or null for each property")
        return self

    def task(self) -> tuple[str, str]:
        return "makes", f"structures, by the process {self.process}"

    def own_range(self) -> list[tuple[str, str]]:
        return [
            ("target", f"{found.name}: {span(found.range)}{' ' if found.unit else ''}{found.unit}")
            for found in self.properties
        ]

    def lammps_line(self, file: str) -> str:
        if self.process != "flow":
            return "no: vitrify generate runs it"
        return f"create_glass {file} seed 1 steps 5 elements {' '.join(self.species)}"

    def lammps_check(self, arguments: str, path: str) -> list[str]:
        return [f'create_glass "{path}" steps 1 elements {" ".join(self.species)} check yes']
