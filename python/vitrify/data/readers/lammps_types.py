"""Which species the types of a LAMMPS file are: by labels, by comments, or by their order, checked by their masses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from vitrify.core.errors import VitrifyError

# Shares by which a mass in a file differs from that of the element, for elements that are meant and that are not.
_SAME, _OTHER = 0.01, 0.05


def named_types(
    where: str,
    types: np.ndarray,
    labels: Mapping[int, str],
    masses: Mapping[str, float],
    comments: Mapping[str, str],
    species: Sequence[str],
) -> tuple[np.ndarray, list[str]]:
    """Names of species (N,) for types (N,) from 1, or the types themselves where their order says it; remarks.

    labels: of the types. masses, comments: of the types, by their ids as text, from the section Masses. species: names
    in the order of the types, for files that name none.

    Raises VitrifyError where masses or comments say that a type is another element than the order of `species`.
    """
    present = [int(number) for number in np.unique(types)]
    if labels:
        unnamed = [number for number in present if number not in labels]
        if unnamed:
            raise VitrifyError(f"{where} has no type label for the type {unnamed[0]}: label all types")
        return _applied(types, labels), []
    said = {number: comments[str(number)] for number in present if str(number) in comments}
    if species and len(set(said.values()) & set(species)) == len(present):
        if [said[number] for number in present] == [_of_order(species, number) for number in present]:
            return types, []
        names = ", ".join(f"{number} is {name}" for number, name in said.items())
        return _applied(types, said), [f"types are named by the comments of the section Masses: {names}"]
    known = {number: masses[str(number)] for number in present if str(number) in masses}
    return _checked_by_masses(where, types, said, known, species)


def _checked_by_masses(
    where: str, types: np.ndarray, said: Mapping[int, str], masses: Mapping[int, float], species: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    wrong = {n: name for n in masses if (name := _of_order(species, n)) and not _may_be(masses[n], name, masses)}
    for number, name in said.items():
        mine = _of_order(species, number)
        if name in atomic_numbers and mine in atomic_numbers and name != mine and number not in wrong:
            wrong[number] = str(mine)
    if not wrong:
        return types, []
    found = {number: [name for name in species if _is(masses[number], name)] for number in masses}
    names = {number: choice[0] for number, choice in found.items() if len(choice) == 1}
    present = {int(number) for number in np.unique(types)}
    if present <= set(names) and len(set(names.values())) == len(names):
        words = ", ".join(f"{number} is {names[number]}" for number in sorted(present))
        return _applied(types, names), [f"types are named by their masses, which are in another order: {words}"]
    number, name = next(iter(wrong.items()))
    what = f"the mass {masses[number]:g}" if number in masses else f"the comment {said.get(number)}"
    raise VitrifyError(
        f"{where}: type {number} has {what}, and is no {name}, as the order of the species {', '.join(species)} says: "
        "name the species in the order of the file's types, or write a section Atom Type Labels"
    )


def _applied(types: np.ndarray, names: Mapping[int, str]) -> np.ndarray:
    """Names (N,) of types (N,)."""
    present, place = np.unique(types, return_inverse=True)
    named: np.ndarray = np.array([names[number] for number in present.tolist()], np.str_)[place]
    return named


def _of_order(species: Sequence[str], number: int) -> str | None:
    return species[number - 1] if 1 <= number <= len(species) else None


def _is(mass: float, name: str) -> bool:
    return name in atomic_numbers and abs(mass / float(atomic_masses[atomic_numbers[name]]) - 1) < _SAME


def _may_be(mass: float, name: str, masses: Mapping[int, float]) -> bool:
    """Whether a type of this mass can be the element; masses that are no elements', such as 1, say nothing."""
    if name not in atomic_numbers or set(masses.values()) == {1.0}:
        return True
    if abs(mass / float(atomic_masses[atomic_numbers[name]]) - 1) < _OTHER:
        return True
    return not any(_is(mass, other) for other in atomic_numbers if other != "X")
