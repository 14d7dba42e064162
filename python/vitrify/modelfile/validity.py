"""The range of a model's training data, as every host compares structures with it (cpp/rules/validity.h)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError
from vitrify.modelfile.metadata import Metadata

Order = Sequence[int]  # the species that each species of a structure seems to be


def training_range(metadata: Metadata) -> Any:
    """The range as `_core.TrainingRange`."""
    validity = metadata.validity
    return _core.TrainingRange(
        species=list(metadata.species),
        composition=[validity.composition.get(name, (0.0, 1.0)) for name in metadata.species],
        number_density=validity.number_density,
        temperature=validity.temperature or (0.0, 0.0),
        min_distance=list(validity.min_distance or ()),
        species_are_elements=metadata.units == "metal",
    )


def observed(
    metadata: Metadata, types: NDArray[np.int64], volume: float, closest: Sequence[float] | None = None,
    temperature: float | None = None,
) -> Any:  # fmt: skip
    """What is known of a structure, as `_core.Observed`.

    types: (N,) from 0. volume: of the cell, in the unit of length cubed; 0 if the model does not see all atoms.
    closest: smallest distance of each pair of species a >= b, at a (a + 1) / 2 + b. temperature: of models that move
    atoms.
    """
    counts = np.bincount(types, minlength=len(metadata.species)).astype(float).tolist()
    return _core.Observed(
        counts=counts,
        volume=volume,
        closest=None if closest is None else list(closest),
        temperature=temperature,
    )


def closest_pairs(metadata: Metadata, positions: Any, cell: Any, types: NDArray[np.int64]) -> list[float] | None:
    """Smallest distance of each pair of species, as far as the training data's reach; None if the file has no limits.

    positions: (N, 3). cell: (3, 3) rows. types: (N,) from 0. For engines that do not measure it.
    """
    least = metadata.validity.min_distance
    if least is None or max(least) <= 0.0:
        return None
    found: list[float] = _core.closest_distances(cell, positions, types, len(metadata.species), max(least))
    return found


def closest_of(model: Any, positions: Any, cell: Any, types: NDArray[np.int64]) -> list[float] | None:
    """The same for the last structure that an engine has predicted, from the engine if it measures distances."""
    measured = getattr(model, "closest", None)
    return closest_pairs(model.metadata, positions, cell, types) if measured is None else list(measured())


def outside(
    metadata: Metadata, types: NDArray[np.int64], volume: float, closest: Sequence[float] | None = None,
    temperature: float | None = None,
) -> list[str]:  # fmt: skip
    """A sentence for each quantity of a structure outside of the training data; arguments as of `observed`."""
    found = training_range(metadata).outside(observed(metadata, types, volume, closest, temperature))
    return [finding.sentence for finding in found]


class Impossible(VitrifyError):
    """A structure or prediction that no training covers."""


class Watch:
    """Compares structures with the range of a model, tells of each quantity once, and counts structures outside.

    force: warn of impossible structures (two atoms in one place, swapped elements) instead of refusing them. word: the
    option of the host that does so. remedy: the words that say how to exchange the elements, given the species that
    each species seems to be.
    """

    def __init__(
        self, metadata: Metadata, force: bool = False, remedy: Callable[[Order], str] | None = None,
        word: str = "force=True",
    ) -> None:  # fmt: skip
        self.metadata, self.force, self.remedy, self.word = metadata, force, remedy or self._exchange, word
        self._watch = _core.RangeWatch(training_range(metadata))
        self._forced: set[str] = set()
        self._before = 0  # structures outside in earlier runs

    def __reduce__(self) -> Any:
        remedy = None if self.remedy == self._exchange else self.remedy
        return Watch, (self.metadata, self.force, remedy, self.word)

    @property
    def outside(self) -> int:
        """Structures so far that lay outside of the training data."""
        return self._before + int(self._watch.outside)

    def look(
        self, types: NDArray[np.int64], volume: float, closest: Sequence[float] | None = None,
        temperature: float | None = None, impossible: str = "",
    ) -> list[str]:  # fmt: skip
        """The warnings that are due, at most one for each quantity and Watch; arguments as of `observed`.

        impossible: why the prediction is refused, or "". Raises VitrifyError for an impossible structure or prediction,
        unless forced.
        """
        found = observed(self.metadata, types, volume, closest, temperature)
        due = self._refuse(found, impossible)
        text = self._watch.observe(found)
        return [*due, text] if text else due

    def preview(self, types: NDArray[np.int64], volume: float, temperature: float | None = None) -> str:
        """The warning that is due for a structure that the model has not seen yet, or ""."""
        return str(self._watch.preview(observed(self.metadata, types, volume, None, temperature)))

    def begin_run(self) -> None:
        """Begins to count for another run."""
        self._before = self.outside
        self._watch.restart_counts()

    def hint(self, types: NDArray[np.int64], closest: Sequence[float] | None) -> str:
        """A hint at another order of the elements that would fit the training data better, for a refusal; or ""."""
        swap = self._watch.range.swapped(observed(self.metadata, types, 0.0, closest))
        return f" (are the elements swapped? {self.remedy(swap.species)})" if swap else ""

    def summary(self, what: str) -> str:
        """How many structures of this run were outside, as a sentence, or "". what: the structures, in the plural."""
        return str(self._watch.summary(what))

    def _refuse(self, found: Any, impossible: str) -> list[str]:
        rules = self._watch.range
        reasons = {"place": rules.impossible(found)}
        swap = rules.swapped(found)
        if swap and swap.certain:
            reasons["order"] = _core.swapped_elements(swap, list(self.metadata.species), self.remedy(swap.species))
        reasons["prediction"] = impossible
        due = {what: reason for what, reason in reasons.items() if reason}
        if due and not self.force:
            raise Impossible(f"{next(iter(due.values()))}, or {self.word} if that is meant")
        new = [reason for what, reason in due.items() if what not in self._forced]
        self._forced.update(due)
        return new

    def _exchange(self, order: Order) -> str:
        names = self.metadata.species
        pairs = ", ".join(f"{name} to {names[to]}" for name, to in zip(names, order, strict=True) if name != names[to])
        return f"change {pairs}"
