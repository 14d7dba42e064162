"""Makes glasses with a latent model: draws a latent vector and the cell that goes with it, then runs the decoder."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.engines.native import _core, core_errors
from vitrify.engines.open import open_model
from vitrify.generation.anneal import Anneal, anneal
from vitrify.generation.in_order import in_order
from vitrify.generation.request import Request
from vitrify.generation.samplers import Plan, make_sampler, numbers_of
from vitrify.glassvae.metadata import GlassVAEMetadata


def structures(path: Path, metadata: GlassVAEMetadata, request: Request) -> Iterator[Atoms]:
    """The glasses of a request; warns of quantities of the first one outside the training data.

    Raises VitrifyError for a target, which this kind does not know, and as `LatentSampler`.
    """
    if request.target:
        raise VitrifyError(f"{path.name} is of kind glassvae, which knows no target: give energy instead")
    if request.anneal and metadata.latent_energy == "energy":
        raise VitrifyError(
            f"{path.name} draws energies of moving atoms, which structures at rest never have: leave anneal out"
        )
    r = request
    wanted = LatentRequest(r.n_atoms, r.density, r.cell, r.composition, r.energy, r.steps, r.churn)
    workers = min(r.workers, len(r.seeds))
    samplers = [LatentSampler(path, metadata, wanted, r.engine, r.device, r.trust) for _ in range(workers)]
    for message in samplers[0].warnings(r.seeds[0]):
        warnings.warn(message, VitrifyWarning, stacklevel=3)
    if r.energy is not None and not r.anneal:
        warnings.warn(
            f"{_core.ENERGY_NOT_MEASURED}: with anneal it is cooled until it has it, or says that it missed it",
            VitrifyWarning,
            stacklevel=3,
        )
    made = in_order(lambda sampler, seed: sampler.make(seed), samplers, r.seeds)
    return _annealed(made, path, r, Anneal.for_units(metadata.units, time=r.anneal)) if r.anneal else made


def _annealed(made: Iterator[Atoms], path: Path, request: Request, settings: Anneal) -> Iterator[Atoms]:
    """The structures after annealing to the energies that were drawn for them, at rest."""
    engine: Any = None if request.engine == "auto" else request.engine
    model = open_model(path, engine, request.device, trust=request.trust)
    for atoms in made:
        drawn = atoms.info["latent_energy"]
        window = atoms.info.get("energy_window", (drawn - settings.drawn, drawn + settings.drawn))
        yield anneal(atoms, model, window, settings, atoms.info["seed"])


@dataclass(frozen=True)
class LatentRequest:
    """A request for structures of a latent model; see `vitrify.generation.generate.generate_many`.

    density: g/cm^3 in metal units, atoms per sigma^3 in lj. cell: (3, 3) rows, (3,) edges or one edge, in the unit of
    length. energy: lowest and highest, for each atom, in the model's unit. churn: share of noise that is put back.
    """

    n_atoms: int | None = None
    density: float | None = None
    cell: ArrayLike | None = None
    composition: Mapping[str, float] | None = None
    energy: tuple[float, float] | None = None
    steps: int = 5
    churn: float = 0.0


class LatentSampler:
    """Makes structures of one request; each seed has a latent vector z of its own, and the cell that goes with it.

    Raises VitrifyError for a model without a density of z, and for a request that makes no sense or cannot be met.
    """

    def __init__(
        self,
        path: Path,
        metadata: GlassVAEMetadata,
        request: LatentRequest,
        engine: str = "auto",
        device: str = "cpu",
        trust: bool = False,
    ) -> None:
        if metadata.statistics is None:
            raise VitrifyError(
                f"{path} (variant {metadata.variant}) has no density of latent vectors, so that it makes no "
                "structures: finish the training of a model of variant equivariant, and export it again"
            )
        self.metadata, self.request, self.path = metadata, request, path
        self.sampler = make_sampler(path, metadata, engine, device, decoder=True, trust=trust)
        self.draw(1)  # raises an error at once if no z has an energy in the window

    def draw(self, seed: int) -> tuple[np.ndarray, float]:
        """The latent vector z (latent,) of a seed, and the energy for each atom that was drawn with it."""
        low, high = self.request.energy or (-math.inf, math.inf)
        with core_errors():
            z, energy = self.sampler.core.latent(seed, low, high)
        return z, energy

    def plan(self, z: np.ndarray) -> Plan:
        """The plan of the structure with the latent vector z (latent,)."""
        r = self.request
        target = dict(zip(self.sampler.names, z.tolist(), strict=True))
        return self.sampler.plan(r.n_atoms, r.density, r.cell, r.composition, target, r.steps, r.churn)

    def warnings(self, seed: int) -> list[str]:
        """One sentence for each quantity of the structure of a seed that lies outside the training data."""
        return self.sampler.warnings(self.plan(self.draw(seed)[0]))

    def make(self, seed: int) -> Atoms:
        """The structure of a seed; its `info` has "latent" (z), "latent_energy", and a requested "energy_window"."""
        z, energy = self.draw(seed)
        plan = self.plan(z)
        positions, types = self.sampler.make(plan, seed)
        info = {"seed": seed, "model": self.path.name, "steps": plan.steps, "latent": z, "latent_energy": energy}
        if self.request.energy is not None:
            info["energy_window"] = list(self.request.energy)
        numbers = numbers_of([self.metadata.species[t] for t in types])
        return Atoms(numbers, positions=positions, cell=plan.cell, pbc=True, info=info)
