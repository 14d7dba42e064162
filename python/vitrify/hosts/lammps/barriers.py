"""`compute symgnn/atom` without the plugin: predictions of a SymGNN in LAMMPS's memory, where `dump` can read them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.units import get_units
from vitrify.engines.open import EngineName
from vitrify.hosts.lammps.arguments import exchanged_elements, map_elements
from vitrify.hosts.lammps.library import Array, Integers
from vitrify.hosts.lammps.system import Atoms, System
from vitrify.modelfile.validity import Order, Watch, closest_of
from vitrify.symgnn.calculator import refuse_property
from vitrify.symgnn.interface import PropertyPredictor

# The labels of the training data belong to minimised structures; these limits are those of compute symgnn/atom.
LARGEST_FORCE = {"metal": (0.05, "eV/A"), "lj": (0.1, "epsilon/sigma")}
LARGEST_TEMPERATURE = {"metal": (1.0, " K"), "lj": (1.0e-3, " epsilon/k")}


class BarrierField:
    """A property of each atom, such as its energy barrier, in vectors that `fix property/atom` keeps.

        fix ID all property/atom d_barrier d_barrier_std d_barrier_outside

    The first vector is named after the model's property, and must exist. The second holds its standard deviation, the
    third 1 for an atom unlike the training data and 0 for others; both are written if they exist.

    Args:
        lmp: as `vitrify.hosts.lammps.library.Library` takes it.
        model: file, name of a shipped model, or a model that `vitrify.engines.open.open_model` has returned.
        elements: the model's species of each atom type; NULL for atoms that the model ignores, whose values are 0.
        style: name of the command, for messages.
        engine, device, trust: as for `vitrify.engines.open.open_model`.
        check: replay the model's reference case first.
        force: warn of what no training covers, instead of refusing it.

    Attributes:
        evaluations_outside: number of updates so far whose structure lay outside of the training data.

    Raises:
        VitrifyError: units, elements or boundaries that do not fit the model.
    """

    def __init__(
        self, lmp: Any, model: str | Path | PropertyPredictor, elements: list[str] | tuple[str, ...], *,
        style: str = "vitrify.lammps.attach", engine: EngineName | None = None, device: str = "cpu",
        check: bool = False, force: bool = False, trust: bool = False,
    ) -> None:  # fmt: skip
        self.system = System(lmp, style)
        self.library, self.ranks = self.system.library, self.system.ranks
        self.model: PropertyPredictor = self.system.open_model(model, engine, device, "symgnn", check, trust)
        self.metadata = self.model.metadata
        self.species = np.array([-1, *map_elements(style, elements, self.system.n_types, self.metadata, True)])
        self.system.check(self.metadata)
        self._elements = list(elements)
        self._watch = Watch(self.metadata, force, self._exchange)
        self._told_of_motion = False

    @property
    def names(self) -> tuple[str, str, str]:
        """Names of the per-atom vectors in `dump custom`: value, standard deviation, outside."""
        name = self.metadata.property.name
        return f"d_{name}", f"d_{name}_std", f"d_{name}_outside"

    def create(self) -> BarrierField:
        """Creates the per-atom vectors, if there are none; not allowed during a run."""
        fix = f"vitrify_{self.metadata.property.name}"
        if not self.library.has("fix", fix):
            self.library.command(f"fix {fix} all property/atom {' '.join(self.names)}")
        return self

    @property
    def values(self) -> Array:
        """The property of the atoms that this rank owns (n_owned,), in the order of `ids`: a view of LAMMPS's memory.

        The view is valid until LAMMPS runs again, since that may reorder atoms and move arrays.
        """
        return self.library.column(self.names[0])

    @property
    def deviations(self) -> Array:
        """The standard deviation of each of the `values`, a view (n_owned,)."""
        return self.library.column(self.names[1])

    @property
    def outside(self) -> Array:
        """1 for an atom unlike those of the training data, otherwise 0: a view (n_owned,), ordered as `values`."""
        return self.library.column(self.names[2])

    @property
    def ids(self) -> Integers:
        """IDs of the atoms that this rank owns: a view (n_owned,), ordered as `values`."""
        return self.library.integers("id")

    def update(self) -> Array:
        """Predicts the property of all atoms at their present positions, and returns `values`; every rank must call it.

        Warns once of atoms that are not at rest, and of composition, density and closest pairs outside of the training
        data.

        Raises VitrifyError for positions or predictions that are not finite, for what no training covers unless forced,
        and if there is no per-atom vector.
        """
        self.system.check_periodic()
        self.ranks.together(lambda: self.values)  # fails early if there is no vector
        atoms = self.system.atoms()
        rows, texts = self.ranks.together(lambda: self._evaluate(atoms))
        for name, row in zip(self.names, rows, strict=True):
            if name == self.names[0] or self.library.symbols.lammps_extract_atom(self.library.handle, name.encode()):
                self.library.column(name)[...] = row[atoms.owned]
        self._warn(atoms, texts)
        return self.values

    @property
    def evaluations_outside(self) -> int:
        """Updates so far whose structure lay outside of the training data."""
        return self._watch.outside

    def _evaluate(self, atoms: Atoms) -> tuple[tuple[Array, Array, Array], list[str]]:
        """The rows of `_predict`, and the warnings about the structure that are due."""
        types = self.species[atoms.types]
        seen = types >= 0
        rows = self._predict(atoms, types, seen)
        _, cell, _ = self.library.box()
        kinds = types[seen]
        closest = closest_of(self.model, atoms.positions[seen], cell, kinds)
        volume = abs(float(np.linalg.det(cell))) if seen.all() else 0.0
        impossible = refuse_property(self.metadata, rows[0][seen], rows[1][seen])
        try:
            return rows, self._watch.look(kinds, volume, closest, impossible=impossible)
        except VitrifyError as error:
            raise self.system.error(f"at step {self.library.step} {error}") from None

    def _exchange(self, order: Order) -> str:
        """The elements to write in place of those that were given."""
        right = exchanged_elements(self._elements, self.species[1:].tolist(), order, self.metadata)
        return f"use the elements {right}"

    def _predict(self, atoms: Atoms, types: Integers, seen: Any) -> tuple[Array, Array, Array]:
        """Values, deviations, and flags of atoms unlike the training data, (N,) each; types and `seen`: (N,)."""
        self._check_numbers(atoms, atoms.positions.sum(1), "the position")
        _, cell, _ = self.library.box()
        every = bool(seen.all())
        positions = atoms.positions if every else atoms.positions[seen]
        found, spread = self.model.predict(positions, cell, types if every else types[seen])
        values, deviations = np.zeros(len(types)), np.zeros(len(types))
        values[seen], deviations[seen] = found, spread
        self._check_numbers(atoms, values + deviations, f"the model's {self.metadata.property.name}")
        limit = self.metadata.validity.max_deviation or np.inf
        return values, deviations, np.where(seen & (deviations > limit), 1.0, 0.0)

    def _check_numbers(self, atoms: Atoms, sums: Array, what: str) -> None:
        if not np.isfinite(sums).all():
            atom = atoms.ids[~np.isfinite(sums)].min()
            raise self.system.error(f"{what} of atom {atom} is not a number at step {self.library.step}")

    def _warn(self, atoms: Atoms, texts: list[str]) -> None:
        """Warns on the first rank, of motion once, and of `texts`."""
        if self.ranks.rank != 0:
            return
        motion = "" if self._told_of_motion else self._motion(atoms, self.species[atoms.types] >= 0)
        self._told_of_motion = self._told_of_motion or bool(motion)
        for text in [motion, *texts]:
            if text:
                warnings.warn(f"{self.system.style}: at step {self.library.step} {text}", VitrifyWarning, stacklevel=3)

    def _motion(self, atoms: Atoms, seen: Any) -> str:
        """A warning if the structure is no minimum, or "".

        It is judged by the forces on this rank's atoms; where there are no forces yet, by the temperature.
        """
        units = get_units(self.metadata.units)
        # Before the first run LAMMPS has no ghosts, and the array of forces holds arbitrary numbers.
        forces = self.library.rows("f") if self.library.setting("nghost") > 0 else np.zeros((0, 3))
        largest = float(np.abs(forces).max(initial=0.0))
        limit, unit = LARGEST_FORCE[units.name]
        what = f"a force component of {largest:.3g} {unit}, above {limit}" if largest > limit else ""
        if largest == 0.0:
            masses = np.array([0.0, *self.library.masses()])[atoms.types[seen]]
            temperature = units.temperature_of(masses, atoms.velocities[seen], 3 * len(masses))
            limit, unit = LARGEST_TEMPERATURE[units.name]
            what = f"a temperature of {temperature:.3g}{unit}, above {limit}" if temperature > limit else ""
        if not what:
            return ""
        return (
            f"the structure has {what}, and is not at a minimum, where the labels of the model belong: use minimize "
            "first"
        )
