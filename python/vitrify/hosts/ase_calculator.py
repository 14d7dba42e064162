"""An ASE calculator of learned properties: energies, forces and latent vectors; barriers as in LAMMPS."""

# mypy: allow-untyped-calls

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.validation import check_vectors
from vitrify.data.ase_atoms import check_periodic, exchange, types_of
from vitrify.engines.interface import Engine
from vitrify.engines.open import EngineName, open_model
from vitrify.engines.replay import require_reference
from vitrify.kinds import KINDS, Kind
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind
from vitrify.modelfile.validity import Watch, closest_of


class GlassCalc(Calculator):
    """An ASE calculator of learned properties: energies of a GlassVAE, per-atom energy barriers of a SymGNN.

        atoms.calc = GlassCalc("Cu50Zr50.glassvae.pt")
        atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
        latent = atoms.calc.get_property("latent", atoms)              # (L,), z of the structure

        calc = GlassCalc(barriers="Cu64Zr36.symgnn.pt")
        barriers = calc.get_property("barriers", atoms)                # (N,), eV
        spread = calc.get_property("barriers_std", atoms)              # (N,), standard deviation, eV
        outside = calc.get_property("barriers_outside", atoms)         # (N,), bool: unlike the training data

    Barriers belong to structures at rest: minimise first, with the potential of the labels. If the atoms have a
    calculator of energies already, keep it as `atoms.calc` and call this one directly; it has a cache of its own:

        atoms.calc = potential
        FIRE(atoms).run(fmax=1e-3)
        glass = GlassCalc(barriers="Cu64Zr36.symgnn.pt")
        barriers = glass.get_property("barriers", atoms)               # atoms.calc stays as it is

    (`ase.calculators.mixing` does not help: it sums the properties that its calculators have in common.)

    A model of another per-atom property, such as a propensity, gives it under the names above; its own name and unit
    are in `calc.barriers.metadata.property`. Models in reduced units take positions as they stand.

    Args:
        model: model file of kind glassvae, name of a shipped model, or a model that `vitrify.engines.open.open_model`
            has returned. It gives energy, free_energy, energies of the atoms, forces, stress and latent.
        barriers: model file of kind symgnn, name of a shipped model, or a model that `vitrify.engines.open.open_model`
            has returned. It gives barriers, barriers_std and barriers_outside.
        species: the model's species of each chemical symbol, {"Ar": "A", "Kr": "B"}; by default the symbols themselves.
        engine: "native" or "torch"; by default the native one where the file has weights for it and device is "cpu".
        device: "cpu" or "cuda:0".
        check: replay the reference cases of the models first.
        force: warn of what no training covers (two atoms in one place, swapped elements, negative barriers, most atoms
            outside), instead of refusing it.
        trust: run the programs in unknown files in torch; see `vitrify.engines.load.load_model`.

    An atom is "outside" if its standard deviation is larger than that of 99% of the atoms of the training data, so that
    the members of the ensemble disagree more than they usually do. Without an ensemble, no atom is outside.

    Warns once of composition, number density and closest pairs that lie outside of the model's training data, as the
    styles of LAMMPS do; `outside` counts the predictions of such structures.

    Raises:
        VitrifyError: a file of another kind, or atoms that the model cannot take: unknown elements, not periodic in
            three directions, none at all, positions that are not finite; unless forced, impossible structures and
            predictions.
    """

    # Magnetic moments and charges do not change the predictions.
    ignored_changes = {"initial_magmoms", "initial_charges"}  # noqa: RUF012

    def __init__(
        self,
        model: str | Path | Engine | None = None,
        barriers: str | Path | Engine | None = None,
        species: Mapping[str, str] | None = None,
        engine: EngineName | None = None,
        device: str = "cpu",
        check: bool = False,
        force: bool = False,
        trust: bool = False,
    ) -> None:
        if model is None and barriers is None:
            raise VitrifyError(
                "GlassCalc has no model: give one of kind glassvae, GlassCalc(MODEL), or of kind symgnn, "
                "GlassCalc(barriers=MODEL)"
            )
        self.model = _opened(model, "model", engine, device, trust)
        self.barriers = _opened(barriers, "barriers", engine, device, trust)
        self._models: list[Any] = [found for found in (self.model, self.barriers) if found is not None]
        self._species = None if species is None else dict(species)
        self._watches = [
            Watch(found.metadata, force, partial(exchange, self._species, found.metadata)) for found in self._models
        ]
        # ASE reads the available properties here; in other calculators this is a class attribute.
        self.implemented_properties = [name for found in self._models for name in _kind(found).properties]
        super().__init__()
        for found in self._models:
            if check:
                require_reference(found)
        # ASE writes the parameters of the calculator into trajectories; they make the same calculator again.
        given = {"model": _name(model), "barriers": _name(barriers), "species": self._species, "engine": engine}
        self.parameters.update({name: value for name, value in given.items() if value is not None})
        if device != "cpu":
            self.parameters["device"] = device
        if force:
            self.parameters["force"] = True

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Raises VitrifyError, since no setting can be changed later."""
        if kwargs:
            raise VitrifyError(f"GlassCalc cannot change {', '.join(kwargs)}: make a new one")
        return {}

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Iterable[str] = (),
        system_changes: Iterable[str] = tuple(all_changes),
    ) -> None:
        """Computes `results`: all properties of each model that has one of `properties` (by default, of all models).

        ASE calls this. Raises VitrifyError for atoms that a model cannot take.
        """
        wanted = set(properties) or set(self.implemented_properties)
        super().calculate(atoms, list(wanted), list(system_changes))
        if self.atoms is None:
            raise VitrifyError("there are no atoms: attach the calculator, atoms.calc = ..., or give atoms")
        if system_changes:
            self.results = {}
        check_periodic(self.atoms)
        positions = check_vectors("positions", self.atoms.positions)
        for model, watch in zip(self._models, self._watches, strict=True):
            kind = _kind(model)
            if wanted & set(kind.properties):
                metadata = model.metadata
                types = types_of(self.atoms.get_chemical_symbols(), metadata, self._species, watch.force)
                found = kind.load("results")(model, positions, self.atoms.cell.array, types)
                closest = closest_of(model, positions, self.atoms.cell.array, types)
                impossible = kind.load("impossible")(metadata, found) if kind.has("impossible") else ""
                for text in watch.look(types, self.atoms.get_volume(), closest, impossible=impossible):
                    warnings.warn(f"{model.path.name}: {text}", VitrifyWarning, stacklevel=3)
                self.results |= found

    @property
    def outside(self) -> int:
        """The number of predictions so far whose structure lay outside of the training data of a model."""
        return sum(watch.outside for watch in self._watches)


def _opened(
    model: str | Path | Engine | None, argument: str, engine: EngineName | None, device: str, trust: bool
) -> Any:
    """The model of an argument of GlassCalc; VitrifyError if its kind belongs to another argument."""
    if not isinstance(model, str | Path):
        return model
    kind = read_metadata(model).kind
    if KINDS[kind].argument != argument:
        wanted = next(name for name, other in KINDS.items() if other.argument == argument)
        raise wrong_kind(find_model(model), kind, wanted)
    return open_model(model, engine, device, trust=trust)


def _name(model: str | Path | Engine | None) -> str | None:
    """What opens a model again."""
    return None if model is None else str(model if isinstance(model, str | Path) else model.path)


def _kind(model: Engine) -> Kind:
    """The kind of a model; VitrifyError if it has no property in GlassCalc."""
    kind = KINDS[model.metadata.kind]
    if kind.argument is None:
        raise VitrifyError(f"GlassCalc cannot run {model.path}: kind {model.metadata.kind} has no property of atoms")
    return kind
