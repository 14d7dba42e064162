"""Makes glasses with a generator of kind amshortcut, in any engine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from vitrify.amshortcut.metadata import AMShortcutMetadata
from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.generation.in_order import in_order
from vitrify.generation.processes import make_process
from vitrify.generation.request import Request
from vitrify.generation.sampler import Steps, sample
from vitrify.generation.samplers import Plan, StructureSampler, check_engine, flow_network, numbers_of, repaired
from vitrify.generation.samplers import make_sampler as make_flow_sampler

STOCHASTIC_FROM = 10  # number of steps from which on stochastic processes add noise (AMShortcut paper, appendix B.3)


def structures(path: Path, metadata: AMShortcutMetadata, request: Request) -> Iterator[Atoms]:
    """The glasses of a request; warns of quantities outside the training data.

    Raises VitrifyError for an energy, which this kind does not know, and as `StructureSampler`.
    """
    if request.energy is not None or request.anneal:
        what = "energy: give a target" if request.energy is not None else "energy to anneal to: give a corrector"
        raise VitrifyError(f"{path.name} is of kind amshortcut, which knows no {what}")
    target = request.target or {}
    workers = min(request.workers, len(request.seeds))
    samplers = [make_sampler(path, metadata, request.engine, request.device, request.trust) for _ in range(workers)]
    plan = samplers[0].plan(
        request.n_atoms, request.density, request.cell, request.composition, target, request.steps, request.churn
    )
    for message in samplers[0].warnings(plan):
        warnings.warn(message, VitrifyWarning, stacklevel=3)

    def one(sampler: StructureSampler, seed: int) -> Atoms:
        positions, types = sampler.make(plan, seed)
        info = {"seed": seed, "model": path.name, "steps": request.steps, **target}
        numbers = numbers_of([metadata.species[t] for t in types])
        return Atoms(numbers, positions=positions, cell=plan.cell, pbc=True, info=info)

    return in_order(one, samplers, request.seeds)


def make_sampler(
    path: Path, metadata: AMShortcutMetadata, engine: str, device: str, trust: bool = False
) -> StructureSampler:
    """A sampler for the network of a file; only TorchScript runs the processes of the paper.

    Raises VitrifyError for an engine that is unknown, or that cannot run the process.
    """
    check_engine(engine)
    if metadata.process == "flow":
        return make_flow_sampler(path, metadata, engine, device, trust=trust)
    if engine == "native":
        raise VitrifyError(f"{path.name} is of the process {metadata.process}: only engine torch runs it")
    return TorchPaper(path, metadata, device, trust)


class TorchPaper(StructureSampler):
    """A sampler for the processes of the paper: elements, too, come out of noise, and ghosts set the density."""

    metadata: AMShortcutMetadata

    def __init__(self, path: Path, metadata: AMShortcutMetadata, device: str, trust: bool = False) -> None:
        from vitrify.engines.load import load_model

        self._set_metadata(metadata)
        self.model: Any = load_model(path, device, trust)

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
        """No warnings, since the model chooses density and composition."""
        return []

    def make(self, plan: Plan, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Wrapped positions (N, 3) and types (N,) of the structure of a seed, without the ghosts.

        Raises VitrifyError if all atoms are ghosts, or pairs stay too close.
        """
        import torch

        process = make_process(self.metadata.process, len(self.metadata.species))
        steps = Steps(plan.steps, stochastic=plan.steps >= STOCHASTIC_FROM)
        start = process.start(plan.cell, plan.types, seed)
        torch.manual_seed(seed)  # for the random embedding of properties that are not requested
        state = sample(flow_network(self.model.answer, plan.values), process, start, steps, seed)
        n_species = len(self.metadata.species)
        kinds = state.elements if self.metadata.ghost_density else state.elements[:, :n_species]
        types = kinds.argmax(1)
        real = types < n_species
        if not real.any():
            raise VitrifyError("the structure came out empty, all ghosts: train longer, or give more steps")
        return repaired(state.positions[real], types[real], plan.cell, self.metadata)
