"""Glasses from a generator: `generate` gives one as ASE atoms, `generate_many` any number of them."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, TypeVar

from ase import Atoms
from numpy.typing import ArrayLike

from vitrify.core.errors import VitrifyError
from vitrify.generation.anneal import Anneal
from vitrify.generation.anneal import anneal as descend
from vitrify.generation.from_latent import LatentRequest, LatentSampler
from vitrify.generation.samplers import StructureSampler, make_sampler, numbers_of
from vitrify.modelfile.archive import (
    AMShortcutMetadata,
    GlassVAEMetadata,
    Metadata,
    find_model,
    read_metadata,
    wrong_kind,
)

_DRAWN = 0.002  # eV/atom: how near an annealed structure comes to the energy that was drawn


@dataclass(frozen=True)
class Relaxation:
    """What a pair style mends after generation: see `vitrify.generation.relaxation.correct`.

    commands: LAMMPS commands of the potential, or separated by ";". iterations: of the minimisation; steps: of
    canonical MD at `temperature` (K), or from there to `final_temperature`.
    """

    commands: str | Sequence[str]
    iterations: int = 10
    steps: int = 0
    temperature: float | None = None
    final_temperature: float | None = None


def generate(model: str | Path, n_atoms: int | None = None, **options: Any) -> Atoms:
    """One glass; options as for `generate_many`.

    >>> atoms = generate("Si.amshortcut.pt", n_atoms=216, density=2.3, steps=5, seed=7)
    """
    return next(iter(generate_many(model, 1, n_atoms=n_atoms, **options)))


def generate_many(
    model: str | Path,
    count: int,
    *,
    n_atoms: int | None = None,
    density: float | None = None,
    cell: ArrayLike | None = None,
    composition: Mapping[str, float] | None = None,
    target: Mapping[str, float] | None = None,
    energy: tuple[float, float] | None = None,
    steps: int = 5,
    churn: float = 0.0,
    seed: int = 1,
    engine: Literal["auto", "native", "torch"] = "auto",
    device: str = "cpu",
    corrector: Relaxation | None = None,
    anneal: float = 0.0,
    workers: int = 1,
) -> Iterator[Atoms]:
    """`count` independent glasses, of the seeds seed, seed + 1, ...; a seed gives one structure wherever it stands.

    Args:
        model: file of kind amshortcut or glassvae, found as `vitrify.modelfile.archive.find_model` does.
        n_atoms, density, cell: two of the three, or n_atoms or cell alone, when the density is the model's for the
            targets. density: g/cm^3 in metal units, atoms per sigma^3 in lj. cell (3, 3), (3,) or a length.
        composition: shares of the elements, as in {"Si": 1, "O": 2}; default: the model's for the targets.
        target: properties to have, in the model's units; those that are not named are free.
        energy: low and high, for each atom, that a glassvae's structures shall have at rest (`latent_energy` in its
            file says if it is another energy); default: any, as in its data.
        steps: looks of the network at the structure. churn: share of noise put back before each step but the first.
        engine: "native" is compiled and quick; "torch" runs models without native weights too, and GPUs (`device`).
        corrector: a short relaxation with a pair style, after generation.
        anneal: of a glassvae: time (ps) at most in which it cools with the model's own potential, until its energy at
            rest lies in the window, or within 2 meV of the energy that was drawn (`vitrify.generation.anneal`); it
            ends at rest.
        workers: threads that make structures side by side; the structures come in order all the same.

    Returns:
        Atoms with periodic boundaries; info: "seed", "model", "steps", and the targets, or of a glassvae "latent" (z),
        "latent_energy" (drawn with it) and "energy_window" (as asked).

    Raises:
        VitrifyError: a request that makes no sense, a property or an element that the model does not have, a density or
            composition that is impossible, too little memory, or a result that fails the gates (finite, no pair closer
            than in the training data).
    """
    path = find_model(model)
    metadata = read_metadata(path)
    if not isinstance(metadata, AMShortcutMetadata | GlassVAEMetadata):
        raise wrong_kind(path, metadata.kind, "amshortcut")
    if count < 1:
        raise VitrifyError(f"count is {count}, but must be at least 1")
    if not 0 <= seed <= 2**32 - count:
        raise VitrifyError(f"seed is {seed}, but must lie between 0 and {2**32 - count}")
    if workers < 1:
        raise VitrifyError(f"workers is {workers}, but must be at least 1")
    if isinstance(metadata, GlassVAEMetadata):
        if target:
            raise VitrifyError(f"{path.name} is of kind glassvae, which knows no target: give energy instead")
        request = LatentRequest(n_atoms, density, cell, composition, energy, steps, churn)
        made = _decoded(path, metadata, request, engine, device, range(seed, seed + count), workers)
        if anneal:
            made = _annealed(made, path, device, Anneal(time=anneal))
        return (_corrected(atoms, corrector, metadata) for atoms in made) if corrector else made
    if energy is not None or anneal:
        what = "energy: give a target" if energy is not None else "energy to anneal to: give a corrector"
        raise VitrifyError(f"{path.name} is of kind amshortcut, which knows no {what}")
    samplers = [make_sampler(path, metadata, engine, device) for _ in range(min(workers, count))]
    plan = samplers[0].plan(n_atoms, density, cell, composition, target or {}, steps, churn)
    for message in samplers[0].warnings(plan):
        warnings.warn(message, stacklevel=2)

    def one(sampler: StructureSampler, seed: int) -> Atoms:
        positions, types = sampler.make(plan, seed)
        info = {"seed": seed, "model": path.name, "steps": steps, **(target or {})}
        numbers = numbers_of([metadata.species[t] for t in types])
        return Atoms(numbers, positions=positions, cell=plan.cell, pbc=True, info=info)

    structures = _in_order(one, samplers, range(seed, seed + count))
    return (_corrected(atoms, corrector, metadata) for atoms in structures) if corrector else structures


def _decoded(
    path: Path, metadata: GlassVAEMetadata, request: LatentRequest, engine: str, device: str, seeds: range, workers: int
) -> Iterator[Atoms]:
    """Structures of a latent model."""
    samplers = [LatentSampler(path, metadata, request, engine, device) for _ in range(min(workers, len(seeds)))]
    for message in samplers[0].warnings(seeds[0]):
        warnings.warn(message, stacklevel=3)
    return _in_order(lambda sampler, seed: sampler.make(seed), samplers, seeds)


def _annealed(made: Iterator[Atoms], path: Path, device: str, settings: Anneal) -> Iterator[Atoms]:
    """The structures at rest, with the energies that they were drawn for."""
    from vitrify.engines.open import open_glassvae

    model = open_glassvae(path, device=device)
    for atoms in made:
        drawn = atoms.info["latent_energy"]
        window = atoms.info.get("energy_window", (drawn - _DRAWN, drawn + _DRAWN))
        yield descend(atoms, model, window, settings, atoms.info["seed"])


_AnySampler = TypeVar("_AnySampler", StructureSampler, LatentSampler)


def _in_order(
    one: Callable[[_AnySampler, int], Atoms], samplers: Sequence[_AnySampler], seeds: range
) -> Iterator[Atoms]:
    """What `one` makes of each seed, in order; each sampler has a thread, and none works far ahead of the reader."""
    if len(samplers) == 1:
        yield from (one(samplers[0], seed) for seed in seeds)
        return
    free: SimpleQueue[_AnySampler] = SimpleQueue()
    for sampler in samplers:
        free.put(sampler)

    def work(seed: int) -> Atoms:
        sampler = free.get()
        try:
            return one(sampler, seed)
        finally:
            free.put(sampler)

    with ThreadPoolExecutor(len(samplers)) as pool:
        waiting: deque[Future[Atoms]] = deque()
        try:
            for seed in seeds:
                waiting.append(pool.submit(work, seed))
                if len(waiting) > 2 * len(samplers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _corrected(atoms: Atoms, corrector: Relaxation, metadata: Metadata) -> Atoms:
    from vitrify.core.compositions import potential_commands
    from vitrify.generation.relaxation import correct

    if metadata.units != "metal":
        raise VitrifyError("the corrector needs a model in metal units: relax the structure in LAMMPS instead")
    text = corrector.commands
    commands = potential_commands(text, metadata.species) if isinstance(text, str) else text
    info = dict(atoms.info)
    repaired = correct(
        atoms, commands, species=metadata.species, temperature=corrector.temperature,
        final_temperature=corrector.final_temperature, steps=corrector.steps,
        iterations=corrector.iterations, seed=int(atoms.info["seed"]) or 1,
    )  # fmt: skip
    repaired.info = {**info, **repaired.info}
    return repaired
