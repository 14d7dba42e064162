"""Models of glasses as an ASE calculator: the numbers of `compute symgnn/atom`, asked for from Python."""

# mypy: allow-untyped-calls

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray

from vitrify.ase import check_periodic, types_of
from vitrify.checks import check_vectors
from vitrify.engines import Engine, open_symgnn
from vitrify.errors import VitrifyError
from vitrify.modelfile import SymGNNMetadata, Validity, find_model, read_metadata, wrong_kind
from vitrify.reference import StructurePredictor, require_reference

Array = NDArray[np.float64]
# A density that was written and read again may differ in its last digits.
_ROUNDING = 1e-6


class GlassCalc(Calculator):
    """An ASE calculator of learned properties; so far the per-atom energy barriers of a SymGNN.

        atoms.calc = GlassCalc(barriers="Cu64Zr36.symgnn.pt")
        barriers = atoms.calc.get_property("barriers", atoms)          # (N,), eV
        spread = atoms.calc.get_property("barriers_std", atoms)        # (N,), standard deviation, eV
        outside = atoms.calc.get_property("barriers_outside", atoms)   # (N,), bool: unlike the training data

    Barriers belong to structures at rest: minimise first, with the potential of the labels. Beside a calculator of
    energies, leave `atoms.calc` to that one and ask this one directly; it caches by the atoms that it is given:

        atoms.calc = potential
        FIRE(atoms).run(fmax=1e-3)
        glass = GlassCalc(barriers="Cu64Zr36.symgnn.pt")
        barriers = glass.get_property("barriers", atoms)               # atoms.calc stays as it is

    (`ase.calculators.mixing` is no help here: it adds up what all its calculators have in common.)

    A model of another per-atom property, such as a propensity, gives it under the same names; what it is,
    and its unit, stands in `calc.model.metadata.property`. Models in reduced units take positions as they stand.

    Args:
        model: an energy model. No kind of model in this version gives energies, so this is an error that says so.
        barriers: model file of kind symgnn, name of a shipped model, or what `vitrify.engines.open_symgnn` returned.
        species: the model's species of each chemical symbol, {"Ar": "A", "Kr": "B"}; by default the same name.
        engine: "native" or "torch"; by default the native one where the file has weights for it and device is "cpu".
        device: "cpu" or "cuda:0".
        check: replay the model's reference case first.

    An atom is "outside" if its standard deviation is larger than that of 99% of the atoms of the training data, so that
    the members of the ensemble disagree as they hardly do there; for a model without an ensemble no atom is.

    Warns once, with the range, if composition or number density lies outside the model's training data.

    Raises:
        VitrifyError: a file of another kind, or atoms that the model cannot take: unknown elements, not periodic in
            three directions, none at all, positions that are not finite.
    """

    implemented_properties = ["barriers", "barriers_std", "barriers_outside"]  # noqa: RUF012 (ASE's interface)
    # These models know neither spins nor charges.
    ignored_changes = {"initial_magmoms", "initial_charges"}  # noqa: RUF012

    def __init__(
        self,
        model: str | Path | None = None,
        barriers: str | Path | StructurePredictor | None = None,
        species: Mapping[str, str] | None = None,
        engine: Engine | None = None,
        device: str = "cpu",
        check: bool = False,
    ) -> None:
        if model is not None:
            raise _no_energy(model)
        if barriers is None:
            raise VitrifyError("GlassCalc has no model: give a model of kind symgnn, GlassCalc(barriers=MODEL)")
        self.model = open_symgnn(barriers, engine, device) if isinstance(barriers, str | Path) else barriers
        self._species = species
        self._warned: set[str] = set()
        if check:
            require_reference(self.model)
        super().__init__()
        # Trajectories keep the parameters of the calculator that computed what they hold.
        self.parameters["barriers"] = self.model.path.name

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Refuses what would have no effect."""
        if kwargs:
            raise VitrifyError(f"GlassCalc cannot change {', '.join(kwargs)}: make a new one")
        return {}

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Iterable[str] = ("barriers",),
        system_changes: Iterable[str] = tuple(all_changes),
    ) -> None:
        """ASE's entry point: all properties of `atoms`, (N,) each, into `results`."""
        super().calculate(atoms, list(properties), list(system_changes))
        if self.atoms is None:
            raise VitrifyError("there are no atoms: attach the calculator, atoms.calc = ..., or give atoms")
        metadata = self.model.metadata
        check_periodic(self.atoms)
        types = types_of(self.atoms.get_chemical_symbols(), metadata, self._species)
        positions = check_vectors("positions", self.atoms.positions)
        self._warn(types, self.atoms.get_volume())
        values, deviations = self.model.predict(positions, self.atoms.cell.array, types)
        self.results = {
            "barriers": _finite(values, metadata),
            "barriers_std": _finite(deviations, metadata),
            "barriers_outside": deviations > (metadata.validity.max_deviation or np.inf),
        }

    def _warn(self, types: NDArray[np.int64], volume: float) -> None:
        """Says what of the structure lies outside the training data, each thing once."""
        found = outside(types, volume, self.model.metadata.species, self.model.metadata.validity)
        new = {what: text for what, text in found.items() if what not in self._warned}
        if new:
            self._warned.update(new)
            name = self.model.metadata.property.name
            warnings.warn(
                f"{self.model.path.name}: {'; '.join(new.values())}: the {name} of these atoms is an extrapolation",
                stacklevel=2,
            )


def outside(types: NDArray[np.int64], volume: float, species: tuple[str, ...], validity: Validity) -> dict[str, str]:
    """What of N atoms of `types` (N,) in `volume` lies outside the training data: name -> sentence with the range.

    A fraction may miss its range by half an atom, since a smaller system cannot always meet it.
    """
    found, n = {}, len(types)
    low, high = validity.number_density
    if not low * (1 - _ROUNDING) <= n / volume <= high * (1 + _ROUNDING):
        found["number density"] = f"{n / volume:.4g} atoms per volume, the training data have {low:.4g} to {high:.4g}"
    for index, name in enumerate(species):
        low, high = validity.composition.get(name, (0.0, 1.0))
        share, slack = float(np.mean(types == index)), 0.5 / n + _ROUNDING
        if not low - slack <= share <= high + slack:
            found[name] = f"a fraction {share:.4g} of {name}, the training data have {low:.4g} to {high:.4g}"
    return found


def _no_energy(model: str | Path) -> VitrifyError:
    """The error for a model file where an energy model should be."""
    path = find_model(model)
    return wrong_kind(path, read_metadata(path).kind, "an energy model, of which this version of vitrify has no kind")


def _finite(values: Array, metadata: SymGNNMetadata) -> Array:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise VitrifyError(
            f"the predicted {metadata.property.name} of atom {bad[0]} is {values[bad[0]]} ({len(bad)} such atoms): "
            "do atoms overlap?"
        )
    return values
