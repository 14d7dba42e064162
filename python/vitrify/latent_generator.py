"""Glasses from a latent model: a latent vector from its density, the cell that goes with it, then its decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from vitrify.errors import VitrifyError, did_you_mean
from vitrify.makers import IMPOSSIBLE, cell_of, mended, numbers_of
from vitrify.modelfile import GlassVAEMetadata, Statistics
from vitrify.processes import Flow, State
from vitrify.sampler import Steps, sample
from vitrify.units import GRAMS

if TYPE_CHECKING:
    from vitrify.export import LoadedGlassVAE


@dataclass(frozen=True)
class LatentRequest:
    """What is asked of a latent model; see `vitrify.generator.generate_many`. energy: low and high, for each atom."""

    n_atoms: int | None = None
    density: float | None = None
    cell: ArrayLike | None = None
    composition: Mapping[str, float] | None = None
    energy: tuple[float, float] | None = None
    steps: int = 5


class LatentMaker:
    """Makes structures of one request.

    Raises VitrifyError for a model without a density of z, and for a request that makes no sense.
    """

    def __init__(self, path: Path, metadata: GlassVAEMetadata, request: LatentRequest, device: str = "cpu") -> None:
        from vitrify.export import load_model

        if metadata.statistics is None:
            raise VitrifyError(
                f"{path} (variant {metadata.variant}) has no density of latent vectors, so that it makes no "
                "structures: finish the training of a model of variant equivariant, and export it again"
            )
        if request.steps < 1:
            raise VitrifyError(f"steps is {request.steps}, but must be at least 1")
        if request.n_atoms is not None and request.n_atoms < 1:
            raise VitrifyError(f"{request.n_atoms} atoms were asked for: give at least one")
        given = [value is not None for value in (request.n_atoms, request.density, request.cell)]
        if all(given) or not (given[0] or given[2]):
            raise VitrifyError("give n_atoms, cell, n_atoms and density, or cell and density")
        loaded: Any = load_model(path, device)
        self.loaded: LoadedGlassVAE = loaded
        self.metadata, self.request, self.statistics = metadata, request, metadata.statistics
        self.shares = _shares(metadata, request.composition, self.statistics)
        self.latents = self.loaded.density()
        self.make_latent(0)  # says at once that a window is empty

    def make_latent(self, seed: int) -> np.ndarray:
        """z (latent,) of a seed, of the energies that are asked for."""
        asked = self.request.energy
        drawn = self.latents.sample(1, seed) if asked is None else self.latents.sample_between(*asked, 1, seed)
        z: np.ndarray = drawn[0]
        return z

    def make(self, seed: int) -> tuple[Atoms, np.ndarray]:
        """The structure of a seed, and its z."""
        z = self.make_latent(seed)
        cell, types = self._cell(z)
        hyper = self.metadata.hyperparameters["decoder"]
        process = Flow(len(self.metadata.species), float(hyper["spread"]))

        def network(state: State, time: float, step: float) -> tuple[np.ndarray, np.ndarray]:
            return self.loaded.decode(state.positions, state.cell, state.elements, time, step, z)

        state = sample(network, process, process.start(cell, types, seed), Steps(self.request.steps), seed)
        positions, found = mended(state.positions, state.elements.argmax(1), cell, self.metadata)
        symbols = [self.metadata.species[t] for t in found]
        return Atoms(numbers_of(symbols), positions=positions, cell=cell, pbc=True), z

    def _cell(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cell (3, 3) and sorted types (N,); the density is that of structures with this z, if none is given."""
        request, metal = self.request, self.metadata.units == "metal"
        mass = GRAMS * float(self.shares @ np.array(self.metadata.masses)) if metal else 1.0
        cell = None if request.cell is None else cell_of(request.cell)
        per_volume = self._usual_density(z) if request.density is None else request.density / mass
        n = request.n_atoms or round(per_volume * abs(float(np.linalg.det(cell))) if cell is not None else 0)
        if n < 1:
            raise VitrifyError("the cell is too small for one atom: give a larger one")
        if cell is None:
            cell = np.eye(3) * (n / per_volume) ** (1 / 3)
        low, high = self.metadata.validity.number_density
        found = n / abs(float(np.linalg.det(cell)))
        if not (1 - IMPOSSIBLE) * low <= found <= (1 + IMPOSSIBLE) * high:
            raise VitrifyError(
                f"a density of {found * mass:.3g} is impossible for this model, which knows {low * mass:.3g} to "
                f"{high * mass:.3g}: change the density, the number of atoms or the cell"
            )
        return cell, np.repeat(np.arange(len(self.shares)), _counts(self.shares, n))

    def _usual_density(self, z: np.ndarray) -> float:
        """Number density given z, of a Gaussian with the statistics of the data; within their range."""
        n = 1 + len(self.metadata.species)
        mean, covariance = np.array(self.statistics.mean), np.array(self.statistics.covariance)
        slope = np.linalg.pinv(covariance[n:, n:], rcond=1e-6) @ covariance[n:, 0]
        low, high = self.metadata.validity.number_density
        return float(np.clip(mean[0] + slope @ (z - mean[n:]), low, high))


def _shares(metadata: GlassVAEMetadata, composition: Mapping[str, float] | None, statistics: Statistics) -> np.ndarray:
    if composition is None:
        return np.array(statistics.mean[1 : 1 + len(metadata.species)])
    for name in composition:
        if name not in metadata.species:
            raise VitrifyError(
                f"the model knows no {name}{did_you_mean(name, metadata.species)}: its elements are "
                f"{', '.join(metadata.species)}"
            )
    shares = np.array([float(composition.get(name, 0.0)) for name in metadata.species])
    if not (np.isfinite(shares).all() and shares.min() >= 0 and shares.sum() > 0):
        raise VitrifyError(f"the composition {dict(composition)} has no positive shares: give such as Cu:1,Zr:1")
    normal: np.ndarray = shares / shares.sum()
    return normal


def _counts(shares: np.ndarray, n: int) -> np.ndarray:
    """Atoms of each species, n together; the largest remainders get what rounding down leaves over."""
    exact = shares / shares.sum() * n
    counts: np.ndarray = np.floor(exact + 1e-9).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: n - counts.sum()]] += 1
    return counts
