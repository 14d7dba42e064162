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

from vitrify.core.errors import VitrifyError
from vitrify.core.validation import check_vectors
from vitrify.data.ase_atoms import check_periodic, types_of
from vitrify.engines.interface import Engine
from vitrify.engines.open import EngineName, open_model
from vitrify.engines.replay import require_reference
from vitrify.kinds import KINDS, Kind
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind
from vitrify.modelfile.validity import outside


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
        model: model file of kind glassvae, name of a shipped model, or what `vitrify.engines.open.open_model`
        returned:
            energy, free_energy, energies of the atoms (E = their sum), forces, stress and latent.
        barriers: model file of kind symgnn, name of a shipped model, or what `vitrify.engines.open.open_model`
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
        model: str | Path | Engine | None = None,
        barriers: str | Path | Engine | None = None,
        species: Mapping[str, str] | None = None,
        engine: EngineName | None = None,
        device: str = "cpu",
        check: bool = False,
    ) -> None:
        if model is None and barriers is None:
            raise VitrifyError(
                "GlassCalc has no model: give one of kind glassvae, GlassCalc(MODEL), or of kind symgnn, "
                "GlassCalc(barriers=MODEL)"
            )
        self.model = _opened(model, "model", engine, device)
        self.barriers = _opened(barriers, "barriers", engine, device)
        self._models: list[Any] = [found for found in (self.model, self.barriers) if found is not None]
        self._species = species
        self._warned: set[tuple[Path, str]] = set()
        # ASE asks whether a property is among these; a class attribute in other calculators.
        self.implemented_properties = [name for found in self._models for name in _kind(found).properties]
        super().__init__()
        for found in self._models:
            if check:
                require_reference(found)
            # Trajectories keep the parameters of the calculator that computed what they hold.
            self.parameters[str(_kind(found).argument)] = found.path.name

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
        for model in self._models:
            kind = _kind(model)
            if wanted & set(kind.properties):
                types = self._types(model, kind, self.atoms)
                self.results |= kind.load("results")(model, positions, self.atoms.cell.array, types)

    def _types(self, model: Engine, kind: Kind, atoms: Atoms) -> NDArray[np.int64]:
        """The model's types (N,); says what of the structure lies outside its training data, each thing once."""
        metadata = model.metadata
        types = types_of(atoms.get_chemical_symbols(), metadata, self._species)
        found = outside(types, atoms.get_volume(), metadata.species, metadata.validity)
        new = {what: text for what, text in found.items() if (model.path, what) not in self._warned}
        if new:
            self._warned.update((model.path, what) for what in new)
            name = kind.load("quantity")(metadata)
            warnings.warn(
                f"{model.path.name}: {'; '.join(new.values())}: the {name} of these atoms is an extrapolation",
                stacklevel=3,
            )
        return types


def _opened(model: str | Path | Engine | None, argument: str, engine: EngineName | None, device: str) -> Any:
    """The model of an argument of GlassCalc, which must be of a kind that belongs there."""
    if not isinstance(model, str | Path):
        return model
    kind = read_metadata(model).kind
    if KINDS[kind].argument != argument:
        wanted = next(name for name, other in KINDS.items() if other.argument == argument)
        raise wrong_kind(find_model(model), kind, wanted)
    return open_model(model, engine, device)


def _kind(model: Engine) -> Kind:
    """The kind of a model, which must give something in GlassCalc."""
    kind = KINDS[model.metadata.kind]
    if kind.argument is None:
        raise VitrifyError(f"GlassCalc cannot run {model.path}: kind {model.metadata.kind} has no property of atoms")
    return kind
