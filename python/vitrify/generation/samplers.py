"""What makes structures of a plan: the compiled sampler, or a TorchScript network and the sampler in Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from vitrify.core.checks import check_cell
from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.core.units import GRAMS
from vitrify.engines.native import core_errors, make_generator, push_apart
from vitrify.generation.processes import Flow, State, make_process
from vitrify.generation.sampler import Network, Steps, sample
from vitrify.modelfile.archive import AMShortcutMetadata, GlassVAEMetadata, Metadata

IMPOSSIBLE = 0.2  # further than this outside the training data, relatively, no density is tried
STOCHASTIC_FROM = 10  # steps, from which on processes with noise use it (AMShortcut paper, appendix B.3)


@dataclass(frozen=True)
class Plan:
    """One structure to make, checked. counts: atoms of each species; values: (P,) properties, NaN: not asked for."""

    cell: np.ndarray
    counts: tuple[int, ...]
    values: np.ndarray
    steps: int
    churn: float

    @property
    def types(self) -> np.ndarray:
        """(N,) sorted types from 0."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


GeneratorMetadata: TypeAlias = AMShortcutMetadata | GlassVAEMetadata


class StructureSampler:
    """What turns plans into structures; this one needs the native engine and a flow.

    names: of the properties of a plan; those of a latent model are z0, z1, ..., all of which it must be given.
    """

    core: Any
    metadata: GeneratorMetadata

    def __init__(self, path: Path, metadata: GeneratorMetadata) -> None:
        self._take(metadata)
        self.core = make_generator(path)

    def _take(self, metadata: GeneratorMetadata) -> None:
        statistics = metadata.statistics
        self.metadata = metadata
        self.names = () if statistics is None else statistics.names[1 + len(metadata.species) :]

    def plan(
        self, n_atoms: int | None, density: float | None, cell: ArrayLike | None,
        composition: Mapping[str, float] | None, target: Mapping[str, float], steps: int, churn: float,
    ) -> Plan:  # fmt: skip
        """The structure that a request describes; see `generate_many`."""
        if steps < 1:
            raise VitrifyError(f"steps is {steps}, but must be at least 1")
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
        return Plan(box, counts, values, steps, churn)

    def _check_density(self, per_volume: float, counts: tuple[int, ...]) -> None:
        """Refuses a density that is far outside the training data; what is a little outside is warned of."""
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
        asked, known = np.nan_to_num(values).tolist(), (~np.isnan(values)).astype(float).tolist()
        given = None if shares is None else shares.tolist()
        with core_errors():
            fractions = np.array(self.core.fractions(asked, known, given))
            if density is None:
                per_volume = float(self.core.density(asked, known, given))
            else:
                if not (math.isfinite(density) and density > 0):
                    raise VitrifyError(f"density is {density:g}, but must be above zero")
                per_volume = density / self._mass(fractions)
            volume = 0.0 if cell is None else abs(float(np.linalg.det(cell)))
            counts = tuple(self.core.counts(n_atoms, volume, asked, known, given, per_volume))
        if density is not None:  # of the atoms that there are, not of the shares before rounding
            per_volume = density / self._mass(np.array(counts) / sum(counts))
        return counts, per_volume

    def _mass(self, fractions: np.ndarray) -> float:
        """What one atom per volume weighs in the unit of densities."""
        if self.metadata.units == "lj":
            return 1.0
        return GRAMS * float(fractions @ np.array(self.metadata.masses))

    def warnings(self, plan: Plan) -> list[str]:
        """What of a plan lies outside the training data."""
        asked, known = np.nan_to_num(plan.values), (~np.isnan(plan.values)).astype(float)
        found: list[str] = self.core.warnings(plan.cell, list(plan.counts), asked.tolist(), known.tolist())
        return found

    def make(self, plan: Plan, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions (N, 3), wrapped, and types (N,)."""
        asked, known = np.nan_to_num(plan.values), (~np.isnan(plan.values)).astype(float)
        with core_errors():
            positions, types = self.core.generate(
                plan.cell, list(plan.counts), plan.steps, seed, asked.tolist(), known.tolist(), plan.churn
            )
        return positions, types


class TorchFlow(StructureSampler):
    """The same through TorchScript, on any device; the flow of a latent model is its decoder."""

    def __init__(self, path: Path, metadata: GeneratorMetadata, device: str) -> None:
        super().__init__(path, metadata)
        from vitrify.export.write import load_model

        self.loaded: Any = load_model(path, device)

    def make(self, plan: Plan, seed: int) -> tuple[np.ndarray, np.ndarray]:
        latent = isinstance(self.metadata, GlassVAEMetadata)
        hyper = self.metadata.hyperparameters["decoder"] if latent else self.metadata.hyperparameters
        process = Flow(len(self.metadata.species), float(hyper["spread"]))
        network = _network(self.loaded.decode if latent else self.loaded.answer, plan.values)
        steps = Steps(plan.steps, churn=plan.churn, spread=float(hyper["churn_spread"]))
        state = sample(network, process, process.start(plan.cell, plan.types, seed), steps, seed)
        return repaired(state.positions, state.elements.argmax(1), plan.cell, self.metadata)


class TorchPaper(StructureSampler):
    """Generators of the paper, whose elements come out of noise too, and whose ghosts choose the density."""

    metadata: AMShortcutMetadata

    def __init__(self, path: Path, metadata: AMShortcutMetadata, device: str) -> None:
        from vitrify.export.write import load_model

        self._take(metadata)
        self.loaded: Any = load_model(path, device)

    def _counts(
        self, n_atoms: int | None, density: float | None, cell: np.ndarray | None, values: np.ndarray,
        shares: np.ndarray | None,
    ) -> tuple[tuple[int, ...], float]:  # fmt: skip
        means = dict(zip(self.metadata.statistics.names, self.metadata.statistics.mean, strict=True))
        if shares is not None:
            raise VitrifyError("this model chooses its composition: leave composition out, or use a flow model")
        fractions = np.array([means[f"fraction:{name}"] for name in self.metadata.species])
        per_volume = self.metadata.ghost_density or means["number_density"]
        if density is not None:
            if self.metadata.ghost_density:
                raise VitrifyError("this model chooses its density by ghost atoms: leave density out")
            per_volume = density / self._mass(fractions)
        n = n_atoms or 0
        if cell is not None and n_atoms is None:
            n = int(per_volume * abs(float(np.linalg.det(cell))))
        # The types do not matter: elements come out of noise.
        return (n, *[0] * (len(self.metadata.species) - 1)), per_volume

    def warnings(self, plan: Plan) -> list[str]:
        return []

    def make(self, plan: Plan, seed: int) -> tuple[np.ndarray, np.ndarray]:
        import torch

        process = make_process(self.metadata.process, len(self.metadata.species))
        steps = Steps(plan.steps, stochastic=plan.steps >= STOCHASTIC_FROM)
        start = process.start(plan.cell, plan.types, seed)
        torch.manual_seed(seed)  # for the embedding of what is not asked for
        state = sample(_network(self.loaded.answer, plan.values), process, start, steps, seed)
        n_species = len(self.metadata.species)
        kinds = state.elements if self.metadata.ghost_density else state.elements[:, :n_species]
        types = kinds.argmax(1)
        real = types < n_species
        if not real.any():
            raise VitrifyError("the structure came out empty, all ghosts: train longer, or give more steps")
        return repaired(state.positions[real], types[real], plan.cell, self.metadata)


def make_sampler(path: Path, metadata: GeneratorMetadata, engine: str, device: str) -> StructureSampler:
    if engine not in ("auto", "native", "torch"):
        raise VitrifyError(f"engine {engine!r} is unknown: use auto, native or torch")
    if isinstance(metadata, AMShortcutMetadata) and metadata.process != "flow":
        if engine == "native":
            raise VitrifyError(f"{path.name} is of the process {metadata.process}: only engine torch runs it")
        return TorchPaper(path, metadata, device)
    if engine == "torch" or (engine == "auto" and device != "cpu"):
        return TorchFlow(path, metadata, device)
    return StructureSampler(path, metadata)


def _network(answer: Callable[..., tuple[np.ndarray, np.ndarray]], values: np.ndarray) -> Network:
    def network(state: State, time: float, step: float) -> tuple[np.ndarray, np.ndarray]:
        return answer(state.positions, state.cell, state.elements, time, step, values)

    return network


def repaired(
    positions: np.ndarray, types: np.ndarray, cell: np.ndarray, metadata: Metadata
) -> tuple[np.ndarray, np.ndarray]:
    """Wrapped positions after push-off; raises VitrifyError if they are not finite, or pairs stay too close."""
    if not np.isfinite(positions).all():
        raise VitrifyError("the generated positions are not finite: give more steps, or a density in the model's range")
    least = metadata.validity.min_distance
    if least is None:
        return positions, types
    with core_errors():
        moved = push_apart(cell, positions, types, least)
    return moved, types


def cell_of(cell: ArrayLike) -> np.ndarray:
    """A cell (3, 3) from itself, three edges or one."""
    array = np.asarray(cell, dtype=float)
    if array.ndim == 0:
        array = np.eye(3) * array
    elif array.shape == (3,):
        array = np.diag(array)
    return check_cell(array)


def numbers_of(symbols: Sequence[str]) -> list[int]:
    """Atomic numbers; species that are no elements (reduced units) become elements 1, 2, ... in the order of names."""
    from ase.data import atomic_numbers

    if all(symbol in atomic_numbers for symbol in symbols):
        return [atomic_numbers[symbol] for symbol in symbols]
    names = sorted(set(symbols))
    return [1 + names.index(symbol) for symbol in symbols]
