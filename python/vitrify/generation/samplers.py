"""Samplers, which make structures of a plan: the compiled one, or a TorchScript network and the sampler in Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.core.units import GRAMS
from vitrify.core.validation import check_cell
from vitrify.engines.native import _core, core_errors, make_generator
from vitrify.generation.processes import Flow, State
from vitrify.generation.sampler import Network, Steps, sample
from vitrify.modelfile.metadata import Metadata

IMPOSSIBLE = _core.MAX_STRETCH  # a density further outside the training data than this share of the limit is refused

ROUNDED = 0.01  # a share of a species, or of the density, that whole atoms may miss without a word


@dataclass(frozen=True)
class Plan:
    """A validated request for one structure.

    cell: (3, 3) rows, in the unit of length. counts: atoms of each species. values: (P,) requested properties in their
    units, NaN where none is requested. steps: number of steps. churn: share of noise that is put back. notes: one
    sentence for each quantity that whole atoms cannot meet.
    """

    cell: np.ndarray
    counts: tuple[int, ...]
    values: np.ndarray
    steps: int
    churn: float
    notes: tuple[str, ...] = ()

    @property
    def types(self) -> np.ndarray:
        """Types (N,) from 0, sorted."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


class StructureSampler:
    """Makes structures of plans. This class runs a flow in the native engine; subclasses run other networks.

    names: of the properties of a plan. A latent model has z0, z1, ..., and must be given all of them.

    Raises VitrifyError, in `plan`, for a request that makes no sense or that the model cannot fulfil.
    """

    core: Any
    metadata: Any  # of a kind that has masses and statistics

    def __init__(self, path: Path, metadata: Any) -> None:
        self._set_metadata(metadata)
        self.core = make_generator(path)

    def _set_metadata(self, metadata: Any) -> None:
        statistics = metadata.statistics
        self.metadata = metadata
        self.names = () if statistics is None else statistics.names[1 + len(metadata.species) :]

    def plan(
        self, n_atoms: int | None, density: float | None, cell: ArrayLike | None,
        composition: Mapping[str, float] | None, target: Mapping[str, float], steps: int, churn: float,
    ) -> Plan:  # fmt: skip
        """The plan of a structure, from arguments of `generate_many`."""
        if steps < 1:
            raise VitrifyError(f"steps is {steps}, but must be at least 1")
        if steps > 10**6:
            raise VitrifyError(f"steps is {steps}, but must be at most 1000000: a few are enough")
        if not (math.isfinite(churn) and 0 <= churn <= 10):
            raise VitrifyError(f"churn is {churn:g}, but must lie between 0 and 10")
        if n_atoms is not None and n_atoms < 1:
            raise VitrifyError(f"{n_atoms} atoms were asked for: give at least one")
        if n_atoms is not None and density is not None and cell is not None:
            raise VitrifyError("n_atoms, density and cell were given, but any two say the third: leave one out")
        if n_atoms is None and cell is None:
            raise VitrifyError("the size of the structure is not given: give n_atoms or cell")
        values = self._values(target)
        shares = self._shares(composition)
        box = None if cell is None else cell_of(cell)
        counts, per_volume = self._counts(n_atoms, density, box, values, shares)
        self._check_density(sum(counts) / abs(float(np.linalg.det(box))) if box is not None else per_volume, counts)
        if box is None:
            box = np.eye(3) * (sum(counts) / per_volume) ** (1 / 3)
        wanted = None if density is None else density / self._mass(np.array(counts) / sum(counts))
        notes = self._rounded(counts, shares, wanted, sum(counts) / abs(float(np.linalg.det(box))))
        return Plan(box, counts, values, steps, churn, notes)

    def _rounded(
        self, counts: tuple[int, ...], shares: np.ndarray | None, wanted: float | None, per_volume: float
    ) -> tuple[str, ...]:
        """A sentence for the composition and for the density where whole atoms are far from what was asked for.

        shares: of the species; wanted, per_volume: number density asked for, and made. None is no wish.
        """
        found, n = [], sum(counts)
        made = np.array(counts) / n
        if shares is not None and np.abs(made - shares / shares.sum()).max() > ROUNDED:
            names = self.metadata.species
            asked, got = (
                ", ".join(f"{100 * x:.3g}% {name}" for name, x in zip(names, part, strict=True) if x > 0)
                for part in (shares / shares.sum(), made)
            )
            found.append(f"the composition asked for is {asked}; {n} atoms have {got}: ask for more atoms")
        if wanted is not None and abs(per_volume / wanted - 1.0) > ROUNDED:
            unit, mass = (" g/cm^3" if self.metadata.units == "metal" else ""), self._mass(made)
            found.append(
                f"the density asked for is {wanted * mass:.4g}{unit}; {n} atoms in this cell have "
                f"{per_volume * mass:.4g}{unit}: ask for a larger cell"
            )
        return tuple(found)

    def _check_density(self, per_volume: float, counts: tuple[int, ...]) -> None:
        """Refuses a density (atoms per volume) far outside the training data; `warnings` reports smaller deviations."""
        low, high = self.metadata.validity.number_density
        if (1 - IMPOSSIBLE) * low <= per_volume <= (1 + IMPOSSIBLE) * high:
            return
        mass = self._mass(np.array(counts) / sum(counts))
        unit = " g/cm^3" if self.metadata.units == "metal" else ""
        raise VitrifyError(
            f"a density of {per_volume * mass:.3g}{unit} is impossible for this model, which knows {low * mass:.3g} to "
            f"{high * mass:.3g}{unit}: change the density, the number of atoms or the cell"
        )

    def _values(self, target: Mapping[str, float]) -> np.ndarray:
        names = list(self.names)
        values = np.full(len(names), np.nan)
        for name, value in target.items():
            if name not in names:
                known = f"it has {', '.join(names)}" if names else "it has none"
                raise VitrifyError(f"the model has no property {name!r}{did_you_mean(name, names)}: {known}")
            if not math.isfinite(value):
                raise VitrifyError(f"the target of {name} is {value}, but must be a number")
            values[names.index(name)] = value
        return values

    def _shares(self, composition: Mapping[str, float] | None) -> np.ndarray | None:
        if composition is None:
            return None
        species = self.metadata.species
        for name in composition:
            if name not in species:
                raise VitrifyError(
                    f"the model knows no {name}{did_you_mean(name, species)}: its elements are {', '.join(species)}"
                )
        return np.array([float(composition.get(name, 0.0)) for name in species])

    def _counts(
        self, n_atoms: int | None, density: float | None, cell: np.ndarray | None, values: np.ndarray,
        shares: np.ndarray | None,
    ) -> tuple[tuple[int, ...], float]:  # fmt: skip
        """Atoms of each species, and the number density where the cell is not given."""
        requested, known = _requested(values)
        given = None if shares is None else shares.tolist()
        with core_errors():
            fractions = np.array(self.core.fractions(requested, known, given))
            if density is None:
                per_volume = float(self.core.density(requested, known, given))
            else:
                if not (math.isfinite(density) and density > 0):
                    raise VitrifyError(f"density is {density:g}, but must be above zero")
                per_volume = density / self._mass(fractions)
            volume = 0.0 if cell is None else abs(float(np.linalg.det(cell)))
            counts = tuple(self.core.counts(n_atoms, volume, requested, known, given, per_volume))
        if density is not None:  # the mass of an atom follows from the counts, not from the shares before rounding
            per_volume = density / self._mass(np.array(counts) / sum(counts))
        return counts, per_volume

    def _mass(self, fractions: np.ndarray) -> float:
        """The density of one atom per unit of volume: g/cm^3 in metal units, 1 in lj."""
        if self.metadata.units == "lj":
            return 1.0
        return GRAMS * float(fractions @ np.array(self.metadata.masses))

    def warnings(self, plan: Plan) -> list[str]:
        """One sentence for each quantity of a plan that lies outside the training data, or that whole atoms miss."""
        return [*self.core.warnings(plan.cell, list(plan.counts), *_requested(plan.values)), *plan.notes]

    def make(self, plan: Plan, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Wrapped positions (N, 3) and types (N,) of the structure of a seed; VitrifyError if pairs stay too close."""
        with core_errors():
            positions, types = self.core.generate(
                plan.cell, list(plan.counts), plan.steps, seed, *_requested(plan.values), plan.churn
            )
        return positions, types


def _requested(values: np.ndarray) -> tuple[list[float], list[float]]:
    """The properties (P,) with 0 in place of NaN, and flags (P,): 1 where a property is requested, otherwise 0."""
    return np.nan_to_num(values).tolist(), (~np.isnan(values)).astype(float).tolist()


class TorchFlow(StructureSampler):
    """A flow through TorchScript, on any device. decoder: the flow is the decoder of a latent model."""

    def __init__(self, path: Path, metadata: Any, device: str, decoder: bool = False, trust: bool = False) -> None:
        super().__init__(path, metadata)
        from vitrify.engines.load import load_model

        model: Any = load_model(path, device, trust)
        self.answer = model.decode if decoder else model.answer
        self.sizes = metadata.hyperparameters["decoder"] if decoder else metadata.hyperparameters

    def make(self, plan: Plan, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Wrapped positions (N, 3) and types (N,) of the structure of a seed."""
        process = Flow(len(self.metadata.species), float(self.sizes["spread"]))
        steps = Steps(plan.steps, churn=plan.churn, spread=float(self.sizes["churn_spread"]))
        start = process.start(plan.cell, plan.types, seed)
        state = sample(flow_network(self.answer, plan.values), process, start, steps, seed)
        return repaired(state.positions, state.elements.argmax(1), plan.cell, self.metadata)


def make_sampler(
    path: Path, metadata: Any, engine: str, device: str, decoder: bool = False, trust: bool = False
) -> StructureSampler:
    """A sampler for the flow of a model file, in an engine: "auto", "native" or "torch".

    decoder: the flow is the decoder of a latent model. Raises VitrifyError for an unknown engine.
    """
    check_engine(engine)
    if engine == "torch" or (engine == "auto" and device != "cpu"):
        return TorchFlow(path, metadata, device, decoder, trust)
    return StructureSampler(path, metadata)


def check_engine(engine: str) -> None:
    """Raises VitrifyError for an engine that generators do not know."""
    if engine not in ("auto", "native", "torch"):
        raise VitrifyError(f"engine {engine!r} is unknown: use auto, native or torch")


def flow_network(answer: Callable[..., tuple[np.ndarray, np.ndarray]], values: np.ndarray) -> Network:
    """The network of a sampler: `answer` of an engine, with the requested properties `values` (P,)."""

    def network(state: State, time: float, step: float) -> tuple[np.ndarray, np.ndarray]:
        return answer(state.positions, state.cell, state.elements, time, step, values)

    return network


def repaired(
    positions: np.ndarray, types: np.ndarray, cell: np.ndarray, metadata: Metadata, gate: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Wrapped positions (N, 3), after pairs that were too close have been moved apart, and the types (N,).

    Raises VitrifyError for positions that are not finite and, with `gate`, if pairs stay too close.
    """
    if not np.isfinite(positions).all():
        raise VitrifyError("the generated positions are not finite: give more steps, or a density in the model's range")
    validity = metadata.validity
    if validity.min_distance is None:
        return positions, types
    densities = list(validity.number_density) if gate else []
    with core_errors():
        moved, _ = _core.push_apart(
            cell, positions, types, list(validity.min_distance), list(metadata.species), densities
        )
    return np.asarray(moved), types


def cell_of(cell: ArrayLike) -> np.ndarray:
    """A cell (3, 3) from a cell (3, 3), from three edges (3,) or from one edge; VitrifyError as `check_cell`."""
    array = np.asarray(cell, dtype=float)
    if array.ndim == 0:
        array = np.eye(3) * array
    elif array.shape == (3,):
        array = np.diag(array)
    return check_cell(array)


def numbers_of(symbols: Sequence[str]) -> list[int]:
    """Atomic numbers of species. If one of them is no element (reduced units), they become 1, 2, ... sorted by name."""
    from ase.data import atomic_numbers

    if all(symbol in atomic_numbers for symbol in symbols):
        return [atomic_numbers[symbol] for symbol in symbols]
    names = sorted(set(symbols))
    return [1 + names.index(symbol) for symbol in symbols]
