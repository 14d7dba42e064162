"""What `vitrify.json` says of the toy."""

from __future__ import annotations

from typing import Literal

from vitrify.modelfile.metadata import Metadata, Reference


class ToyReference(Reference):
    """The coordination numbers (N,) of a small structure."""

    values: tuple[float, ...]


class ToyMetadata(Metadata):
    """quantity: the name of the labels that the model has learned."""

    kind: Literal["toy"]
    quantity: str
    reference: ToyReference

    def task(self) -> tuple[str, str]:
        """What one prediction gives."""
        return "counts", f"the {self.quantity} of each atom"

    def lammps_line(self, file: str) -> str:
        """No style runs it."""
        return "no: GlassCalc runs it in ASE"
