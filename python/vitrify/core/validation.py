"""Validation of the arrays that describe atoms in a periodic cell, and of numbers that users give by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError
from vitrify.core.whole_numbers import whole_number


def check_cell(cell: ArrayLike) -> NDArray[np.float64]:
    """`cell` as a (3, 3) float64 array of cell vectors in rows.

    Raises VitrifyError for another shape, for NaN or infinity, and for vectors that span no volume.
    """
    rows = np.asarray(cell, dtype=np.float64)
    if rows.shape != (3, 3):
        raise VitrifyError(f"the cell has the shape {rows.shape}: give three cell vectors as rows, (3, 3)")
    if not np.isfinite(rows).all():
        raise VitrifyError("the cell holds NaN or infinity: give three finite cell vectors")
    lengths = np.linalg.norm(rows, axis=1)
    # Relative to a box with the same edges, so that the test does not depend on the unit of length.
    if abs(np.linalg.det(rows)) <= 1e-10 * float(np.prod(lengths)):
        raise VitrifyError(f"the cell {rows.tolist()} has no volume: give three independent cell vectors")
    return rows


def check_cutoff(cell: NDArray[np.float64] | None, n_atoms: int, cutoff: float) -> None:
    """Raises VitrifyError unless a cutoff is a length that fits `n_atoms` in a periodic cell (3, 3).

    A cell that is far smaller than the cutoff has more images, or more neighbours for each atom, than memory holds.
    """
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise VitrifyError(f"the cutoff is {cutoff}: give a positive length")
    if cell is not None:
        _core.check_images(cell, n_atoms, float(cutoff))


def as_vectors(name: str, values: ArrayLike, n_atoms: int | None = None) -> NDArray[np.float64]:
    """`values` as an (N, 3) float64 array, finite or not; `name` and `n_atoms` as in `check_vectors`.

    Raises VitrifyError for another shape.
    """
    vectors = np.asarray(values, dtype=np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != 3 or (n_atoms is not None and len(vectors) != n_atoms):
        wanted = f"({'N' if n_atoms is None else n_atoms}, 3)"
        raise VitrifyError(f"the {name} have the shape {vectors.shape}: give one row for each atom, {wanted}")
    return vectors


def check_vectors(name: str, values: ArrayLike, n_atoms: int | None = None) -> NDArray[np.float64]:
    """`values` as an (N, 3) float64 array; `name` names them in messages, `n_atoms` is the N that is required.

    Raises VitrifyError for another shape, and for NaN or infinity.
    """
    vectors = as_vectors(name, values, n_atoms)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        first = int(np.argmin(finite))
        raise VitrifyError(
            f"the {name} of atom {first} are {vectors[first].tolist()} ({int((~finite).sum())} such atoms): "
            "give finite numbers; if a run made them, it had left the range in which its model is valid"
        )
    return vectors


def check_count(name: str, value: object, least: int | None = 1) -> int:
    """A whole number of any type (3, 3.0, numpy's) as an integer; VitrifyError for others, and below `least`."""
    found = whole_number(value)
    if found is None:
        raise VitrifyError(f"{name} is {value!r}: give a whole number")
    if least is not None and found < least:
        raise VitrifyError(f"{name} is {found}, but must be at least {least}")
    return found


def parse_values(name: str, texts: Sequence[str], example: str = "shear_modulus=30") -> dict[str, float]:
    """Numbers by name, from texts such as the example.

    name: of the command-line option, for messages. Raises VitrifyError for a text that is not NAME=NUMBER.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if key.strip() in found:
            raise VitrifyError(f"--{name} {text!r}: {key.strip()} is given twice; keep one of the two")
        try:
            found[key.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise VitrifyError(f"--{name} {text!r}: wanted NAME=VALUE, as in {example}")
    return found


def require_finite(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """The values (N,) of the atoms as they are; VitrifyError if one of them is infinite or NaN."""
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise VitrifyError(
            f"the predicted {name} of atom {bad[0]} is {values[bad[0]]} ({len(bad)} such atoms): do atoms overlap?"
        )
    return values
