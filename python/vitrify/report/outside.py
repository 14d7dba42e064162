"""Says which structures of an evaluation lie outside of the training data of the model, as hosts say it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyWarning
from vitrify.modelfile.metadata import Metadata
from vitrify.modelfile.validity import Watch, closest_pairs
from vitrify.report.metrics_file import ModelFile


@dataclass(frozen=True)
class Given:
    """A structure of an evaluation. types: (N,) of the model, from 0. volume: in the unit of length cubed.

    closest: smallest distance of each pair of species, if it is known. temperature: of models that move atoms.
    impossible: why the prediction for it is impossible, or "".
    """

    name: str
    types: NDArray[Any]
    volume: float
    closest: list[float] | None = None
    temperature: float | None = None
    impossible: str = ""


def given(name: str, metadata: Metadata, positions: Any, cell: Any, types: NDArray[Any], **known: Any) -> Given:
    """The same from positions (N, 3), cell (3, 3) rows and types (N,); known: temperature."""
    volume = abs(float(np.linalg.det(np.asarray(cell))))
    return Given(name, types, volume, closest_pairs(metadata, positions, cell, types), **known)


def tell_outside(model: ModelFile, structures: Iterable[Given], what: str = "structures") -> dict[str, int]:
    """Warns at the first structure outside, and of their number; the numbers of structures, and of those outside.

    An evaluation measures what a model does, so that impossible structures are warned of and not refused. what: the
    structures, in the plural.
    """
    watch, count = Watch(model.metadata, force=True), 0
    for one in structures:
        count += 1
        for text in watch.look(one.types, one.volume, one.closest, one.temperature, one.impossible):
            _warn(f"{model.path.name}: {one.name}: {text}")
    if count > 1 and (text := watch.summary(what)):
        _warn(f"{model.path.name}: {text}")
    return {what: count, "outside": watch.outside}


def _warn(text: str) -> None:
    warnings.warn(text, VitrifyWarning, stacklevel=4)
