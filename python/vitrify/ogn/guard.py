"""The guard of `fix ogn` (cpp/rules/guard.h) for strides taken from Python: refuses those far outside the data."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.units import get_units
from vitrify.engines.native import _core
from vitrify.modelfile.validity import Order, Watch
from vitrify.ogn.interface import MotionPredictor

Array = NDArray[np.float64]


def _warn(text: str) -> None:
    warnings.warn(f"OGNStepper: {text}", VitrifyWarning, stacklevel=5)


def _volume(cell: Array) -> float:
    return abs(float(np.linalg.det(cell)))


class Refusal(VitrifyError):
    """The reason why a stride is refused; other steps can take it instead. The caller adds the step and the remedy."""


class NotANumber(VitrifyError):
    """A position or velocity that is no number before the prediction, which nothing can mend."""


class Guard:
    """Refuses strides of a model; all arrays are in the model's units.

    active: False refuses only predictions that are not numbers, and warns of impossible structures. warn: takes the
    warnings about structures outside of the training data. remedy: as of `vitrify.modelfile.validity.Watch`. word: the
    option of the host that makes it inactive.
    """

    def __init__(
        self, model: MotionPredictor, active: bool = True, warn: Callable[[str], None] = _warn,
        remedy: Callable[[Order], str] | None = None, word: str = "guard=False",
    ) -> None:  # fmt: skip
        self.warn, self.watch = warn, Watch(model.metadata, not active, remedy, word)
        metadata, validity = model.metadata, model.metadata.validity
        self.model, self.active = model, active
        self.units, self.timestep, self._least = get_units(metadata.units), metadata.timestep, validity.min_distance
        self._rules = _core.Guard(
            species=list(metadata.species),
            min_distance=list(validity.min_distance or ()),
            max_displacement=validity.max_displacement or 0.0,
            highest_temperature=validity.temperature[1],
        )

    @property
    def has_all_limits(self) -> bool:
        """Whether the model file has limits of distances and displacements; otherwise only temperatures are checked."""
        return bool(self._rules.has_all_limits())

    def predict(
        self, positions: Array, velocities: Array, cell: Array, types: NDArray[Any], masses: Array, ids: NDArray[Any]
    ) -> tuple[Array, Array]:
        """Changes of position and velocity (N, 3) of one stride.

        positions, velocities: (N, 3). cell: (3, 3) rows. types: (N,) from 0. masses: (N,). ids: (N,), for messages.

        Raises:
            NotANumber: a position or velocity that is not finite.
            Impossible: two atoms in one place, or swapped elements.
            Refusal: a temperature in the frame of the centre of mass that is far above the data's; pairs that are much
                closer, or a move, less the common drift, that is much longer than in the data; changes that are not
                finite.
            VitrifyError: the engine cannot predict.
        """
        if bad := not_finite(positions, velocities, ids=ids):
            raise NotANumber(_core.describe_not_finite_before(bad))
        mean = masses @ velocities / masses.sum() if len(masses) else np.zeros(3)
        temperature = self.units.temperature_of(masses, velocities - mean)
        if self.active and (reason := self._rules.refuse_temperature(temperature)):
            self._compare(types, cell, None, temperature)
            raise Refusal(reason)
        dr, dv = self.model.predict(positions, velocities, cell, types)
        closest = self._closest(positions, cell, types)
        self._compare(types, cell, closest, temperature)
        if self.active:
            refusal = self._rules.refuse_prediction(dr, dv, self.timestep * mean, closest)
        else:
            refusal = _core.refuse_not_finite(dr, dv)
        if refusal:
            named = [int(ids[refusal.atom])] if refusal.atom >= 0 else self._pair(refusal, positions, cell, types, ids)
            raise Refusal(self._rules.describe(refusal, *named) + self.watch.hint(types, closest))
        return dr, dv

    def begin_run(self, cell: Array, types: NDArray[Any], masses: Array, velocities: Array) -> str:
        """Begins to count strides anew; the warning that is due before the first one, or ""."""
        self.watch.begin_run()
        mean = masses @ velocities / masses.sum() if len(masses) else np.zeros(3)
        return self.watch.preview(types, _volume(cell), self.units.temperature_of(masses, velocities - mean))

    def _compare(self, types: NDArray[Any], cell: Array, closest: list[float] | None, temperature: float) -> None:
        """Warns of a structure outside of the training data, and refuses what no training covers."""
        for text in self.watch.look(types, _volume(cell), closest or None, temperature):
            self.warn(text)

    def _closest(self, positions: Array, cell: Array, types: NDArray[Any]) -> list[float]:
        """Smallest distance of each pair of species a >= b, at a (a + 1) / 2 + b, infinity where none is near.

        The native engine has measured it for the prediction; engines that have not are spared it without limits.
        """
        measured = getattr(self.model, "closest", None)
        if measured is not None:
            return list(measured())
        if self._least is None:
            return []
        closest = np.full(len(self._least), np.inf)
        _, distances, species_pairs = self._near(positions, cell, types)
        np.minimum.at(closest, species_pairs, distances)
        return [float(distance) for distance in closest]

    def _pair(
        self, refusal: Any, positions: Array, cell: Array, types: NDArray[Any], ids: NDArray[Any]
    ) -> tuple[int, int]:
        """The IDs of the closest atoms of the species of a refusal, the lower one first."""
        pairs, distances, species_pairs = self._near(positions, cell, types)
        among = species_pairs == refusal.first * (refusal.first + 1) // 2 + refusal.second
        if not among.any():
            return 0, 0
        one, other = sorted(ids[pairs[np.argmin(np.where(among, distances, np.inf))]])
        return int(one), int(other)

    def _near(self, positions: Array, cell: Array, types: NDArray[Any]) -> tuple[NDArray[Any], Array, NDArray[Any]]:
        """Pairs (P, 2) of atoms that a limit may refuse, their distances (P,), and the index (P,) of their species."""
        from vitrify.core.pairs import find_pairs

        i, j, distances = find_pairs(positions, cell, max(self._least or (0.0,)), "ijd")
        pairs = np.stack([i, j], axis=1).astype(int)
        low, high = np.sort(types[pairs], axis=1).T
        return pairs, np.asarray(distances), high * (high + 1) // 2 + low


def not_finite(*rows: Array, ids: NDArray[Any]) -> int:
    """The lowest of the `ids` (N,) of atoms with a number in `rows` (N, 3) whose square is not finite; 0 without."""
    # A product costs less than a test of every number, and is not finite if one of them is not.
    if all(np.isfinite(np.vdot(row, row)) for row in rows):
        return 0
    with np.errstate(over="ignore", invalid="ignore"):
        bad = ~np.logical_and.reduce([np.isfinite(row * row).all(1) for row in rows])
    return int(ids[bad].min()) if bad.any() else 0
