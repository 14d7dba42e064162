"""Models of glasses as an ASE calculator: energies, forces and latent vectors; barriers as in LAMMPS."""

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

from vitrify.core.checks import check_vectors
from vitrify.core.errors import VitrifyError
from vitrify.engines.open import Engine, open_glassvae, open_symgnn
from vitrify.modelfile.archive import SymGNNMetadata
from vitrify.modelfile.reference_case import EnergyPredictor, PropertyPredictor, require_reference
from vitrify.modelfile.validity import outside
from vitrify.ogn.ase_dynamics import check_periodic, types_of

Array = NDArray[np.float64]
_ENERGIES = ("energy", "free_energy", "energies", "forces", "stress", "latent")
_BARRIERS = ("barriers", "barriers_std", "barriers_outside")
_VOIGT = (np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1]))  # xx, yy, zz, yz, xz, xy


class GlassCalc(Calculator):
    """An ASE calculator of learned properties: energies of a GlassVAE, per-atom energy barriers of a SymGNN.

        atoms.calc = GlassCalc("Cu50Zr50.glassvae.pt")
        atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
        latent = atoms.calc.get_property("latent", atoms)              # (L,), z of the structure

        calc = GlassCalc(barriers="Cu64Zr36.symgnn.pt")
        barriers = calc.get_property("barriers", atoms)                # (N,), eV
        spread = calc.get_property("barriers_std", atoms)              # (N,), standard deviation, eV
        outside = calc.get_property("barriers_outside", atoms)         # (N,), bool: unlike the training data

    Barriers belong to structures at rest: minimise first, with the potential of the labels. Beside a calculator of
    energies, leave `atoms.calc` to that one and ask this one directly; it caches by the atoms that it is given:

        atoms.calc = potential
        FIRE(atoms).run(fmax=1e-3)
        glass = GlassCalc(barriers="Cu64Zr36.symgnn.pt")
        barriers = glass.get_property("barriers", atoms)               # atoms.calc stays as it is

    (`ase.calculators.mixing` is no help here: it adds up what all its calculators have in common.)

    A model of another per-atom property, such as a propensity, gives it under the same names; what it is,
    and its unit, stands in `calc.barriers.metadata.property`. Models in reduced units take positions as they stand.

    Args:
        model: model file of kind glassvae, name of a shipped model, or what `vitrify.engines.open.open_glassvae`
        returned:
            energy, free_energy, energies of the atoms (E = their sum), forces, stress and latent.
        barriers: model file of kind symgnn, name of a shipped model, or what `vitrify.engines.open.open_symgnn`
        returned. species: the model's species of each chemical symbol, {"Ar": "A", "Kr": "B"}; by default the same
        name. engine: "native" or "torch"; by default the native one where the file has weights for it and device is
        "cpu". device: "cpu" or "cuda:0".
        check: replay the reference cases of the models first.

    An atom is "outside" if its standard deviation is larger than that of 99% of the atoms of the training data, so that
    the members of the ensemble disagree as they hardly do there; for a model without an ensemble no atom is.

    Warns once, with the range, if composition or number density lies outside the model's training data.

    Raises:
        VitrifyError: a file of another kind, or atoms that the model cannot take: unknown elements, not periodic in
            three directions, none at all, positions that are not finite.
    """

    # These models know neither spins nor charges.
    ignored_changes = {"initial_magmoms", "initial_charges"}  # noqa: RUF012

    def __init__(
        self,
        model: str | Path | EnergyPredictor | None = None,
        barriers: str | Path | PropertyPredictor | None = None,
        species: Mapping[str, str] | None = None,
        engine: Engine | None = None,
        device: str = "cpu",
        check: bool = False,
    ) -> None:
        if model is None and barriers is None:
            raise VitrifyError(
                "GlassCalc has no model: give one of kind glassvae, GlassCalc(MODEL), or of kind symgnn, "
                "GlassCalc(barriers=MODEL)"
            )
        self.energies = open_glassvae(model, engine, device) if isinstance(model, str | Path) else model
        self.barriers = open_symgnn(barriers, engine, device) if isinstance(barriers, str | Path) else barriers
        self._species = species
        self._warned: set[tuple[Path, str]] = set()
        # ASE asks whether a property is among these; a class attribute in other calculators.
        self.implemented_properties = [*(_ENERGIES if self.energies else ()), *(_BARRIERS if self.barriers else ())]
        super().__init__()
        for name, found in (("model", self.energies), ("barriers", self.barriers)):
            if found is not None:
                if check:
                    require_reference(found)
                # Trajectories keep the parameters of the calculator that computed what they hold.
                self.parameters[name] = found.path.name

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Refuses what would have no effect."""
        if kwargs:
            raise VitrifyError(f"GlassCalc cannot change {', '.join(kwargs)}: make a new one")
        return {}

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Iterable[str] = (),
        system_changes: Iterable[str] = tuple(all_changes),
    ) -> None:
        """ASE's entry point: into `results`, all that the models say that are asked (by default, all of them)."""
        wanted = set(properties) or set(self.implemented_properties)
        super().calculate(atoms, list(wanted), list(system_changes))
        if self.atoms is None:
            raise VitrifyError("there are no atoms: attach the calculator, atoms.calc = ..., or give atoms")
        if system_changes:
            self.results = {}
        check_periodic(self.atoms)
        positions = check_vectors("positions", self.atoms.positions)
        if self.energies is not None and wanted & set(_ENERGIES):
            self.results |= self._energies(self.energies, self.atoms, positions)
        if self.barriers is not None and wanted & set(_BARRIERS):
            self.results |= self._barriers(self.barriers, self.atoms, positions)

    def _energies(self, model: EnergyPredictor, atoms: Atoms, positions: Array) -> dict[str, Any]:
        found = model.predict(positions, atoms.cell.array, self._types(model, atoms))
        _finite(found.energies, "energy")
        _finite(found.forces.sum(1), "force")
        return {
            "energy": found.energy,
            "free_energy": found.energy,
            "energies": found.energies,
            "forces": found.forces,
            "stress": found.stress[_VOIGT],
            "latent": found.latent,
        }

    def _barriers(self, model: PropertyPredictor, atoms: Atoms, positions: Array) -> dict[str, Any]:
        values, deviations = model.predict(positions, atoms.cell.array, self._types(model, atoms))
        name = model.metadata.property.name
        return {
            "barriers": _finite(values, name),
            "barriers_std": _finite(deviations, name),
            "barriers_outside": deviations > (model.metadata.validity.max_deviation or np.inf),
        }

    def _types(self, model: EnergyPredictor | PropertyPredictor, atoms: Atoms) -> NDArray[np.int64]:
        """The model's types (N,); says what of the structure lies outside its training data, each thing once."""
        metadata = model.metadata
        types = types_of(atoms.get_chemical_symbols(), metadata, self._species)
        found = outside(types, atoms.get_volume(), metadata.species, metadata.validity)
        new = {what: text for what, text in found.items() if (model.path, what) not in self._warned}
        if new:
            self._warned.update((model.path, what) for what in new)
            name = metadata.property.name if isinstance(metadata, SymGNNMetadata) else "energy"
            warnings.warn(
                f"{model.path.name}: {'; '.join(new.values())}: the {name} of these atoms is an extrapolation",
                stacklevel=4,
            )
        return types


def _finite(values: Array, name: str) -> Array:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise VitrifyError(
            f"the predicted {name} of atom {bad[0]} is {values[bad[0]]} ({len(bad)} such atoms): do atoms overlap?"
        )
    return values
