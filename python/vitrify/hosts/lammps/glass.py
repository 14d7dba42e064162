"""`create_glass` without the plugin: fills the empty box of a LAMMPS with a structure of a generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError
from vitrify.hosts.lammps.system import System
from vitrify.kinds import KINDS
from vitrify.modelfile.archive import find_model, read_metadata

if TYPE_CHECKING:
    from ase import Atoms

STYLE = "vitrify.lammps.create_glass"


def create_glass(lmp: Any, model: str | Path, elements: Sequence[str], **options: Any) -> int:
    """Fills the empty periodic box of a LAMMPS with a glass; every rank must call this.

        python glass input 1 SELF format p here \"\"\"
        from vitrify.lammps import create_glass
        def glass(lmp): create_glass(lmp, "Si.amshortcut.pt", ["Si"], seed=7, steps=10)
        \"\"\"
        python glass invoke

    Args:
        lmp: a `lammps.lammps` object, or the pointer that LAMMPS passes to its Python functions.
        model: file of kind amshortcut or glassvae, or name of a shipped model.
        elements: one for each atom type; NULL for types that the glass does not have.
        options: of `vitrify.generate`: n_atoms or density, seed, steps, target, energy, composition, churn,
            engine, device, trust.

    Returns:
        The number of atoms, whose IDs are 1, 2, ...

    Raises:
        VitrifyError: a box that holds atoms or has walls; units or elements that do not fit the model; and as
            `vitrify.generate`.
    """
    system = System(lmp, STYLE)
    _check(system, options)
    atoms = system.ranks.together(lambda: _make(system, model, elements, options))
    return _create(system, atoms, [str(element) for element in elements])


def _check(system: System, options: dict[str, Any]) -> None:
    if system.library.n_atoms:
        raise system.error(
            f"the box holds {system.library.n_atoms} atoms, which the model does not see: use an empty box, or "
            "delete_atoms group all"
        )
    if system.library.setting("dimension") == 2:
        raise system.error("a glass is three-dimensional: use dimension 3")
    system.check_periodic()
    if "cell" in options:
        raise system.error("the box of LAMMPS is the cell: leave cell out")
    if "corrector" in options:
        raise system.error("a corrector would start a second LAMMPS in this one: relax the glass by commands instead")


def _make(system: System, model: str | Path, elements: Sequence[str], options: dict[str, Any]) -> Atoms:
    from vitrify.generation.generate import generate, not_a_generator

    path = find_model(model)
    metadata = read_metadata(path)
    if not KINDS[metadata.kind].has("generate"):
        raise not_a_generator(path, metadata.kind)
    system.check_units(metadata)
    _check_elements(system, elements, metadata.species)
    atoms = generate(path, cell=system.library.box()[1], **options)
    missing = sorted(set(_names(atoms, metadata.species)) - set(elements))
    if missing:
        raise system.error(
            f"the glass would have atoms of {', '.join(missing)}, but no atom type is: add it to elements, or use "
            "composition"
        )
    atoms.info["species"] = _names(atoms, metadata.species)
    return atoms


def _check_elements(system: System, elements: Sequence[str], species: tuple[str, ...]) -> None:
    if len(elements) != system.n_types:
        raise system.error(
            f"elements got {len(elements)} values for {system.n_types} atom types: give one for each type, "
            f"{_core.NULL_ELEMENT} for none"
        )
    for number, element in enumerate(elements, 1):
        if element not in (*species, _core.NULL_ELEMENT):
            raise system.error(_core.unknown_element(element, f" of type {number}", list(species)))
    named = [element for element in elements if element != _core.NULL_ELEMENT]
    for element in named:
        if named.count(element) > 1:
            raise system.error(f"two types are {element}: use {_core.NULL_ELEMENT} for one of them")


def _names(atoms: Atoms, species: tuple[str, ...]) -> list[str]:
    """The species of each atom; `generate` gives species that are no elements the atomic numbers 1, 2, ..."""
    from vitrify.generation.samplers import numbers_of

    names = dict(zip(numbers_of(species), species, strict=True))
    return [names[number] for number in atoms.numbers.tolist()]


def _create(system: System, atoms: Atoms, elements: list[str]) -> int:
    """Creates the atoms; LAMMPS keeps on each rank the atoms that the rank owns. Returns their number."""
    library, count = system.library, len(atoms)
    origin, _, _ = library.box()
    positions = np.ascontiguousarray(atoms.positions + origin)
    types = np.array([elements.index(name) + 1 for name in atoms.info["species"]], np.int32)
    ids = np.arange(1, count + 1, dtype=library.integer)
    library.call("create_atoms", count, ids.ctypes.data, types.ctypes.data, positions.ctypes.data, None, None, 0)
    if library.n_atoms != count:
        raise VitrifyError(
            f"{STYLE}: {library.n_atoms} of {count} atoms were created: another command has changed the box"
        )
    return count
