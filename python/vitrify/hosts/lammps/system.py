"""The system in a LAMMPS as models need it: all atoms, on every rank."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError
from vitrify.engines.interface import Engine
from vitrify.engines.open import EngineName, open_checked
from vitrify.hosts.lammps.library import Array, Library
from vitrify.hosts.lammps.ranks import Ranks
from vitrify.modelfile.metadata import Metadata


@dataclass(frozen=True)
class Atoms:
    """All atoms of a LAMMPS, in its units.

    positions, velocities: (N, 3). types: (N,) from 1. ids: (N,). owned: index of the rows of atoms that this rank owns.
    On one rank the arrays are LAMMPS's own; on several they are copies, in the order of IDs.
    """

    positions: Array
    velocities: Array
    types: NDArray[np.int32]
    ids: NDArray[Any]
    owned: Any


class System:
    """One LAMMPS with a simulation box, and the conditions that models set on it. `style` begins the messages.

    Raises VitrifyError if there is no box yet.
    """

    def __init__(self, lmp: Any, style: str) -> None:
        self.library = lmp if isinstance(lmp, Library) else Library(lmp)
        self.style = style
        if not self.library.setting("box_exist"):
            raise VitrifyError(f"{style}: used before simulation box is defined: use read_data or create_box first")
        self.ranks = Ranks(self.library)
        self.n_types = self.library.setting("ntypes")

    def error(self, message: str) -> VitrifyError:
        """An error that begins with the style."""
        return VitrifyError(f"{self.style}: {message}")

    def open_model(
        self, model: str | Path | Engine, engine: EngineName | None, device: str, kind: str, check: bool,
        trust: bool,
    ) -> Any:  # fmt: skip
        """A model of `kind`, as `vitrify.engines.open.open_checked` gives it, on every rank; all raise if one fails."""
        return self.ranks.together(lambda: open_checked(model, engine, device, kind, check, trust))

    def check(self, model: Metadata) -> None:
        """Raises VitrifyError for units, dimensions and atom styles that do not fit the model."""
        library = self.library
        self.check_units(model)
        if library.setting("dimension") == 2:
            raise self.error("the model is three-dimensional: use dimension 3")
        if library.setting("rmass_flag") == 1 or not len(library.masses()):
            raise self.error("per-atom masses are not supported: use an atom style with one mass for each type")

    def check_units(self, model: Metadata) -> None:
        """Raises VitrifyError unless LAMMPS uses the units of the model."""
        units = self.library.units
        if units != model.units:
            raise self.error(
                f"the model is in {model.units} units, but the input uses units {units}: use units {model.units}"
            )

    def check_periodic(self) -> None:
        """Raises VitrifyError unless all boundaries are periodic."""
        if not all(self.library.box()[2]):
            raise self.error("the model knows no walls or free surfaces: use boundary p p p")

    def atoms(self, velocities: bool = True) -> Atoms:
        """All atoms at the present step, with or without `velocities`; every rank must call this.

        Raises VitrifyError for lost atoms, and on several ranks for IDs that are not 1 to N.
        """
        library = self.library
        if self.ranks.size == 1:
            self._check_lost(library.n_owned)
            v = library.rows("v") if velocities else np.empty((0, 3))
            return Atoms(library.rows("x"), v, library.integers("type"), library.integers("id"), slice(None))  # type: ignore[arg-type]
        self._check_lost(self.ranks.total(library.n_owned))
        ids = library.integers("id") if library.n_owned else np.empty(0, np.int64)
        wrong = self.ranks.total(int(np.count_nonzero(ids > library.n_atoms)))
        if wrong:
            raise self.error(
                f"IDs must run from 1 to {library.n_atoms} on more ranks than one, {wrong} are larger: use "
                "reset_atom_ids (reset_atoms id), or one rank"
            )
        v = np.asarray(library.gather("v")) if velocities else np.empty((0, 3))
        types: Any = library.gather("type")
        return Atoms(np.asarray(library.gather("x")), v, types, np.arange(1, library.n_atoms + 1), ids.astype(int) - 1)

    def _check_lost(self, owned: int) -> None:
        if owned != self.library.n_atoms:
            raise self.error(
                f"lost atoms: {owned} of {self.library.n_atoms} are left at step {self.library.step}; the model has "
                "left the range that it was trained in"
            )
