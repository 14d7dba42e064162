"""The processes that turn noise (time 1) into a glass (time 0): flow, material ODE, material SDE and shortcuts.

A process defines the noise, the structure at a time between, the output that the network is to give there, and the
step that follows from an output. All but the flow are those of the AMShortcut paper, appendix B.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from vitrify.core.compiled import _core
from vitrify.core.counter_rng import Stream, normal3, uniform
from vitrify.core.errors import VitrifyError, did_you_mean


@dataclass
class State:
    """A structure at some time between noise and glass.

    cell: (3, 3) rows. positions: (N, 3) float64. elements: (N, kinds), one-hot species or embeddings of them.
    """

    cell: np.ndarray
    positions: np.ndarray
    elements: np.ndarray


def minimum_image(vectors: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Vectors (..., 3), moved by cell vectors to within half a cell: the shortest ones if it is not very oblique."""
    fractional = vectors @ np.linalg.inv(cell)
    nearest: np.ndarray = (fractional - np.round(fractional)) @ cell
    return nearest


def matched(sites: np.ndarray, positions: np.ndarray, types: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Displacements (N, 3) from each atom to a site of its own, of the same type, with the least sum of squares."""
    from scipy.optimize import linear_sum_assignment

    found = np.empty_like(positions)
    rows, inverse = cell.astype(np.float32), np.linalg.inv(cell).astype(np.float32)
    for kind in np.unique(types):
        mine = np.flatnonzero(types == kind)
        fractional = (sites[mine][None] - positions[mine][:, None]).astype(np.float32) @ inverse
        fractional -= np.round(fractional)
        vectors = fractional @ rows
        order, chosen = linear_sum_assignment(np.einsum("ijk,ijk->ij", vectors, vectors))
        found[mine[order]] = minimum_image(sites[mine[chosen]] - positions[mine[order]], cell)
    return found


class Process(ABC):
    """One way from noise to glass.

    kinds: length of an element embedding (the species, and one more where there are ghosts). consistent: the network
    learns long steps from two halves, so that few steps suffice. ghosts: atoms may be left out in the end. latest: the
    latest time at which the network is evaluated.
    """

    consistent = False
    ghosts = False
    latest = 1.0

    def __init__(self, n_species: int) -> None:
        self.n_species = n_species
        self.kinds = n_species + self.ghosts

    def one_hot(self, types: np.ndarray) -> np.ndarray:
        """Types (N,) -> one-hot elements (N, kinds)."""
        rows: np.ndarray = np.eye(self.kinds)[types]
        return rows

    @abstractmethod
    def start(self, cell: np.ndarray, types: np.ndarray, seed: int) -> State:
        """The noise of a seed, at time 1, for atoms of these types (N,)."""

    @abstractmethod
    def noise(
        self, cell: np.ndarray, positions: np.ndarray, types: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Random noise for a glass: the target outputs (N, 3) and (N, kinds) of the network, equal at all times."""

    @abstractmethod
    def along(self, glass: State, x: np.ndarray, e: np.ndarray, time: float) -> State:
        """A glass at a time, given its noise x (N, 3) and e (N, kinds)."""

    def noised(
        self, cell: np.ndarray, positions: np.ndarray, types: np.ndarray, time: float, random: np.random.Generator
    ) -> tuple[State, np.ndarray, np.ndarray]:
        """A glass at a time with random noise, and the target outputs (N, 3) and (N, kinds) of the network there."""
        x, e = self.noise(cell, positions, types, random)
        return self.along(State(cell, positions, self.one_hot(types)), x, e, time), x, e

    @abstractmethod
    def velocity(self, state: State, time: float, dx: np.ndarray, de: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rates of change of positions (N, 3) and elements (N, kinds), from the outputs dx, de of the network."""

    def answer(self, state: State, time: float, v: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The outputs of the network from which the rates v, w follow: the inverse of `velocity`."""
        return v, w

    def advance(
        self, state: State, time: float, step: float, dx: np.ndarray, de: np.ndarray, noise: Noise | None
    ) -> State:
        """The structure at time - step, from outputs dx, de of the network.

        With `noise`, the step is one of the stochastic equation, for processes that have one.
        """
        v, w = self.velocity(state, time, dx, de)
        return State(state.cell, state.positions - step * v, state.elements - step * w)


@dataclass(frozen=True)
class Noise:
    """Standard normal numbers for one step of the sampler, equal on all machines."""

    seed: int
    step: int

    def vectors(self, n: int) -> np.ndarray:
        """Numbers (n, 3) for positions."""
        return normal3(np.arange(1, n + 1), self.step, self.seed, Stream.CHURN)

    def elements(self, n: int, kinds: int) -> np.ndarray:
        """Numbers (n, kinds) for elements."""
        blocks, ids = range(-(-kinds // 3)), np.arange(1, n + 1)
        parts = [normal3(ids, 1000 * k + self.step, self.seed, Stream.ELEMENTS) for k in blocks]
        return np.concatenate(parts, axis=1)[:, :kinds]


class Flow(Process):
    """Straight lines from a lattice with noise to a glass; atoms are matched to sites at the least sum of squares.

    Each species has a lattice of its own, so that it is spread evenly from the start, and stoichiometry holds. The
    network gives the mean velocity over a step of any length (K. Frans et al., One step diffusion via shortcut models,
    2025). spread: standard deviation of the noise on the lattice, in the unit of length.
    """

    consistent = True

    def __init__(self, n_species: int, spread: float) -> None:
        super().__init__(n_species)
        self.spread = spread

    def start(self, cell: np.ndarray, types: np.ndarray, seed: int) -> State:
        positions = _core.flow_start(cell, types, self.spread, seed)
        return State(cell, positions, self.one_hot(types))

    def noise(
        self, cell: np.ndarray, positions: np.ndarray, types: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        seed = int(random.integers(1, 2**32 - 1))
        v = matched(self.start(cell, types, seed).positions, positions, types, cell)
        return v, np.zeros((len(types), self.kinds))

    def along(self, glass: State, x: np.ndarray, e: np.ndarray, time: float) -> State:
        return State(glass.cell, glass.positions + time * x, glass.elements)

    def velocity(self, state: State, time: float, dx: np.ndarray, de: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return dx, de


class MaterialODE(Process):
    """Material ODE (appendix B.1): straight lines to a glass, from uniformly random positions and random elements."""

    ghosts = True

    def start(self, cell: np.ndarray, types: np.ndarray, seed: int) -> State:
        n = len(types)
        sites = np.stack([uniform(np.arange(k * n, (k + 1) * n), seed, Stream.SITES) for k in range(3)], axis=1) @ cell
        return State(cell, sites, self.scale_of_noise * Noise(seed, 0).elements(n, self.kinds))

    scale_of_noise = 1.0

    def noise(
        self, cell: np.ndarray, positions: np.ndarray, types: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        sites = random.random((len(types), 3)) @ cell
        v = minimum_image(sites - positions, cell)
        return v, random.normal(size=(len(types), self.kinds)) - self.one_hot(types)

    def along(self, glass: State, x: np.ndarray, e: np.ndarray, time: float) -> State:
        return State(glass.cell, glass.positions + time * x, glass.elements + time * e)

    def velocity(self, state: State, time: float, dx: np.ndarray, de: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return dx, de


class MaterialSDE(MaterialODE):
    """Material SDE (appendix B.2): the network predicts the noise.

    The variance of the positions grows with time; that of the elements is kept.
    """

    spread = 1.7  # A at time 1
    scale_of_noise = 1.5
    latest = 0.99  # the noise of the elements is singular at 1

    def noise(
        self, cell: np.ndarray, positions: np.ndarray, types: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        return random.normal(size=positions.shape), random.normal(size=(len(types), self.kinds))

    def along(self, glass: State, x: np.ndarray, e: np.ndarray, time: float) -> State:
        angle = 0.5 * math.pi * time
        elements = math.cos(angle) * glass.elements + self.scale_of_noise * math.sin(angle) * e
        return State(glass.cell, glass.positions + self.spread * time * x, elements)

    def velocity(self, state: State, time: float, dx: np.ndarray, de: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Equation 11: half of g^2 = 2 spread^2 t, times the score -dx / (spread t).
        angle = 0.5 * math.pi * time
        w = -math.tan(angle) * state.elements + self.scale_of_noise / math.cos(angle) * de
        return self.spread * dx, 0.5 * math.pi * w

    def answer(self, state: State, time: float, v: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        angle = 0.5 * math.pi * time
        e = w / (0.5 * math.pi) * math.cos(angle) + math.sin(angle) * state.elements
        return v / self.spread, e / self.scale_of_noise

    def advance(
        self, state: State, time: float, step: float, dx: np.ndarray, de: np.ndarray, noise: Noise | None
    ) -> State:
        if noise is None:
            return super().advance(state, time, step, dx, de, noise)
        angle = 0.5 * math.pi * time
        n = len(state.positions)
        v = 2.0 * self.spread * dx
        w = 0.5 * math.pi * (-math.tan(angle) * state.elements + 2.0 * self.scale_of_noise / math.cos(angle) * de)
        size_x = self.spread * math.sqrt(2.0 * time * step)
        size_e = self.scale_of_noise * math.sqrt(math.pi * math.tan(angle) * step)
        return State(
            state.cell,
            state.positions - step * v + size_x * noise.vectors(n),
            state.elements - step * w + size_e * noise.elements(n, self.kinds),
        )


class PaperShortcut(MaterialSDE):
    """AMShortcut as published (appendix B.3): the material SDE with shortcuts in its probability-flow form."""

    consistent = True


def make_process(name: str, n_species: int, spread: float | None = None) -> Process:
    """The process called `name`; "flow" needs the spread of its noise. Raises VitrifyError for an unknown name."""
    if name == "flow" and spread is not None:
        return Flow(n_species, spread)
    known: dict[str, type[Process]] = {"ode": MaterialODE, "sde": MaterialSDE, "shortcut": PaperShortcut}
    if name not in known:
        raise VitrifyError(f"process {name!r} is unknown{did_you_mean(name, known)}: update vitrify")
    return known[name](n_species)
