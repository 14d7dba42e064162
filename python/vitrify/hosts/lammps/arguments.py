"""Reads the arguments of a command, MODEL El1 El2 ... keyword value ..., as the styles of the plugin do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError
from vitrify.core.seeds import read_seed
from vitrify.modelfile.metadata import Metadata
from vitrify.ogn.step import Langevin

SHARED = {
    "engine": 1,
    "device": 1,
    "trust": 1,
}  # keywords of all commands that run a model, with the number of their values
CHECK = {"check": 1}


@dataclass(frozen=True)
class Arguments:
    """The arguments of a command: the model file, one element for each atom type, and the values of each keyword."""

    model: str
    elements: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]


def read_arguments(style: str, text: str, n_types: int, own_keywords: Mapping[str, int]) -> Arguments:
    """The arguments after `fix ID all ogn` or `compute ID all symgnn/atom`, in `text`.

    style: name of the command, for messages. n_types: number of atom types. own_keywords: keywords of the style in
    addition to engine, device, trust and check -> number of their values.

    Raises VitrifyError without a model, and for too many elements, unknown keywords and missing values.
    """
    keywords = {**SHARED, **own_keywords, **CHECK}
    arguments = text.split()
    if not arguments:
        raise VitrifyError(f"{style}: no model is named: give MODEL El1 El2 ... and keywords, as in kalj.ogn.pt A B")
    model, rest = arguments[0], arguments[1:]
    count = next((k for k, argument in enumerate(rest) if argument in keywords), len(rest))
    elements, rest = rest[:count], rest[count:]
    if len(elements) > n_types:
        given = " ".join(elements[: n_types + 1])
        raise VitrifyError(f"{style}: too many elements: got {given} for {n_types} atom types; give one for each type")
    values: dict[str, tuple[str, ...]] = {}
    while rest:
        keyword, rest = rest[0], rest[1:]
        if keyword not in keywords:
            raise VitrifyError(f"{style}: unknown keyword {keyword}: use {' '.join(keywords)}")
        n = keywords[keyword]
        if len(rest) < n:
            raise VitrifyError(
                f"{style}: {keyword} wants {n} value{'s' if n > 1 else ''}, got {' '.join(rest) or 'none'}"
            )
        values[keyword], rest = tuple(rest[:n]), rest[n:]
    return Arguments(model, tuple(elements), values)


def options_of(style: str, arguments: Arguments) -> dict[str, Any]:
    """The values of the keywords as options of `vitrify.lammps.attach`; VitrifyError for a wrong value."""
    options: dict[str, Any] = {}
    for keyword, values in arguments.values.items():
        if keyword in ("guard", "trust", "force", "check"):
            options[keyword] = _logical(style, keyword, values[0])
        elif keyword == "langevin":
            options[keyword] = _langevin(style, values)
        else:
            options[keyword] = values[0]
    return options


def _logical(style: str, keyword: str, value: str) -> bool:
    if value not in ("yes", "no", "on", "off", "true", "false"):
        raise VitrifyError(f"{style}: {keyword} {value} is unknown: use yes or no")
    return value in ("yes", "on", "true")


def _langevin(style: str, values: Sequence[str]) -> Langevin:
    try:
        temperature, damp = (float(value) for value in values[:2])
        good = temperature >= 0 and damp > 0
    except ValueError:
        good = False
    if not good:
        raise VitrifyError(
            f"{style}: langevin wants a temperature >= 0, a damping time > 0 and a seed, got {' '.join(values)}"
        )
    return Langevin(temperature, damp, read_seed(values[2], f"{style}: langevin seed"))


def map_elements(style: str, elements: Sequence[str], n_types: int, model: Metadata, allow_null: bool) -> list[int]:
    """The model's species, from 0, of each atom type, at index type - 1; -1 for NULL, where that is allowed.

    Raises VitrifyError for another number of elements, and for elements that the model does not have.
    """
    try:
        return list(_core.species_of_types(list(elements), n_types, list(model.species), allow_null))
    except VitrifyError as error:
        raise VitrifyError(f"{style}: {error}") from None


def exchanged_elements(elements: Sequence[str], species: Sequence[int], order: Sequence[int], model: Metadata) -> str:
    """The elements of the atom types in which each species s is the species order[s], as words of a command.

    elements: of each type. species: of each type, as `map_elements` gives them.
    """
    names = model.species
    return " ".join(name if s < 0 else names[order[s]] for name, s in zip(elements, species, strict=True))
