"""Checks atoms of ASE for models, and gives them the model's types."""

# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError
from vitrify.core.validation import check_cell
from vitrify.modelfile.metadata import Metadata


def check_periodic(atoms: Atoms) -> None:
    """Raises VitrifyError unless there are atoms in a cell that has a volume and is periodic in three directions."""
    if len(atoms) == 0:
        raise VitrifyError("there are no atoms: give a periodic structure")
    if not all(atoms.pbc):
        raise VitrifyError(
            f"pbc is {atoms.pbc.tolist()}: the model needs all three directions periodic, atoms.pbc = True"
        )
    check_cell(atoms.cell.array)


def types_of(
    symbols: list[str], metadata: Metadata, species: Mapping[str, str] | None, force: bool = False
) -> NDArray[np.int64]:
    """The model's type (N,), from 0, of each chemical symbol.

    species: the model's species of each symbol, {"Ar": "A"}; None: the symbols themselves. force: elements may be
    swapped. Raises VitrifyError for a symbol without a species, a species that the model does not have, and, unless
    forced, for swapped elements.
    """
    known = ", ".join(metadata.species)
    names = {symbol: symbol for symbol in symbols} if species is None else dict(species)
    for symbol, name in names.items():
        if name not in metadata.species:
            where = "" if name == symbol else f" for {symbol}"
            error = _core.unknown_element(name, where, list(metadata.species))
            raise VitrifyError(f'{error}: name it, as in species={{"{symbol}": "{metadata.species[0]}"}}')
        if not force and metadata.units == "metal" and symbol != name and symbol in metadata.species:
            raise VitrifyError(
                f"species says that {symbol} is {name}, but the model has {symbol} itself, so that the elements seem "
                f'to be swapped: use "{symbol}": "{symbol}", or leave species out'
            )
    missing = sorted(set(symbols) - set(names))
    if missing:
        raise VitrifyError(f"species does not say what {', '.join(missing)} is: the model knows {known}")
    return np.array([metadata.species.index(names[symbol]) for symbol in symbols], dtype=np.int64)


def exchange(species: Mapping[str, str] | None, metadata: Metadata, order: Sequence[int]) -> str:
    """The words that say how to exchange elements, given the species `order[s]` that each species s seems to be."""
    names = metadata.species
    right = {name: names[to] for name, to in zip(names, order, strict=True)}
    if species is None:
        changes = ", ".join(f"{name} to {other}" for name, other in right.items() if name != other)
        return f"change the symbols {changes}"
    changes = ", ".join(f'"{symbol}": "{right.get(name, name)}"' for symbol, name in species.items())
    return f"use species={{{changes}}}"
