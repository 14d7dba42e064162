"""Structures that a latent model makes: decoded from the z of a frame, drawn at random, drawn for an energy window."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from ase import Atoms

from vitrify.analysis.novelty import novelty
from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.progress import counted
from vitrify.core.seeds import later_seed
from vitrify.data.datasets import evenly_spread
from vitrify.data.frames import Frame
from vitrify.datagen.structures.elastic import relaxed
from vitrify.datagen.structures.recipes import Simulation
from vitrify.generation.processes import Flow, State
from vitrify.generation.sampler import Steps, sample
from vitrify.generation.samplers import repaired
from vitrify.glassvae.evaluate.metrics import Rdf, means_of, r_squared
from vitrify.glassvae.evaluate.results import Generated, Predictions
from vitrify.glassvae.evaluate.settings import Settings
from vitrify.glassvae.generate import LatentRequest, LatentSampler
from vitrify.glassvae.torchscript import TorchGlassVAE

WINDOWS = 5


def decoded_structures(found: Predictions, settings: Settings, progress: bool) -> dict[str, Any]:
    """Positions decoded from z in the cell of the frame, scored by distances of the decoded positions alone."""
    opened, rdf, frames, true_rdf = found.opened, found.rdf, found.test.frames, found.test.rdf
    thermal = np.flatnonzero(found.test.thermal)
    chosen = thermal[evenly_spread(len(thermal), settings.count)]
    decoded, energies = [], []
    for number in counted(chosen, "decoded", "structure", progress):
        frame, z = frames[number], found.predicted[number].latent
        positions, types = decode_positions(opened, frame, z, settings.steps, settings.seed)
        decoded.append(rdf.of(positions, frame.cell, types, len(opened.metadata.species)))
        if settings.potential:
            energies.append(_at_rest(opened, as_atoms(opened, positions, types, frame.cell), settings))
    g, true = np.array(decoded), true_rdf[chosen]
    mean = means_of(true_rdf, frames, [frames[number] for number in chosen])
    metrics: dict[str, Any] = {
        "structures": len(chosen),
        "steps": settings.steps,
        "rdf": {
            "decoded": float(rdf.error(g, true).mean()),
            "mean of the temperature": float(rdf.error(mean, true).mean()),
        },
        "rdf_of_all": float(rdf.error(g.mean(0)[None], true.mean(0)[None])[0]),
        "wasserstein": {
            "decoded": float(rdf.wasserstein(g, true).mean()),
            "mean of the temperature": float(rdf.wasserstein(mean, true).mean()),
        },
    }
    inherent = np.array([frames[number].inherent_energy for number in chosen])
    if energies and np.isfinite(inherent).all():
        rest = np.array(energies)
        metrics["inherent_energy"] = {
            "bias": float(np.nanmean(rest - inherent)),
            "rmse": float(np.sqrt(np.nanmean((rest - inherent) ** 2))),
            "r2": r_squared(rest, inherent),
        }
    return metrics


def decode_positions(
    opened: TorchGlassVAE, frame: Frame, z: np.ndarray, steps: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, 3) and types (N,) of z in the cell of a frame; only its composition and cell are read."""
    process = Flow(len(opened.metadata.species), float(opened.metadata.hyperparameters["decoder"]["spread"]))

    def network(state: State, time: float, step: float) -> tuple[np.ndarray, np.ndarray]:
        return opened.decode(state.positions, state.cell, state.elements, time, step, z)

    state = sample(network, process, process.start(frame.cell, np.sort(frame.types), seed), Steps(steps), seed)
    return repaired(state.positions, state.elements.argmax(1), frame.cell, opened.metadata, gate=False)


def as_atoms(opened: TorchGlassVAE, positions: np.ndarray, types: np.ndarray, cell: np.ndarray) -> Atoms:
    """Periodic atoms of the model's species."""
    return Atoms([opened.metadata.species[t] for t in types], positions, cell=cell, pbc=True)


def generated_structures(
    opened: TorchGlassVAE, frames: Sequence[Frame], rdf: Rdf, settings: Settings, progress: bool
) -> Generated:
    """Random and conditional structures and random packings, at rest in the reference potential.

    The windows are quintiles of the inherent energies of `frames`; each of `count` conditional structures asks for the
    next of them. A hit is a structure at rest within the window that it was made for; for the others, the share of a
    random window is 1/5 by their own energies' distribution over the windows.
    """
    thermal = [frame for frame in frames if frame.thermal and np.isfinite(frame.inherent_energy)]
    if not thermal:
        raise VitrifyError("no frame has an inherent_energy: leave --potential out, or give frames that have one")
    known = np.array([frame.inherent_energy for frame in thermal])
    edges = np.quantile(known, np.linspace(0.0, 1.0, WINDOWS + 1))
    made, energies = _generate(opened, len(thermal[0]), edges, settings, progress)
    species = opened.metadata.species
    nearby = [as_atoms(opened, f.positions, f.types, f.cell) for f in thermal[:: max(1, len(thermal) // 50)]]
    _tell(energies, edges)
    g = np.mean([rdf.of(a.positions, a.cell[:], _types(a, species), len(species)) for a in made], axis=0)
    reference = np.mean([rdf.of(f.positions, f.cell, f.types, len(species)) for f in thermal], axis=0)
    metrics = {
        "count": settings.count,
        "steps": settings.steps,
        "windows": edges.tolist(),
        "hits": _hits(energies, edges),
        "energy": {
            name: {
                "mean": float(np.nanmean(values)),
                "std": float(np.nanstd(values)),
                "failed": int(np.isnan(values).sum()),
            }
            for name, values in {**energies, "data": known}.items()
        },
        "rdf": float(rdf.error(g[None], reference[None])[0]),
        "novelty": float(np.mean(novelty(made, nearby, species)[0])),
    }
    return Generated(energies, known, edges, metrics)


def _generate(
    opened: TorchGlassVAE, size: int, edges: np.ndarray, settings: Settings, progress: bool
) -> tuple[list[Atoms], dict[str, np.ndarray]]:
    """Random structures of `size` atoms, and energies at rest of these, of conditional ones and of random packings."""
    energies: dict[str, list[float]] = {"random": [], "conditional": [], "random packing": []}
    made: list[Atoms] = []
    free = LatentSampler(opened.path, opened.metadata, LatentRequest(n_atoms=size, steps=settings.steps))
    conditional = [
        LatentSampler(
            opened.path, opened.metadata, LatentRequest(n_atoms=size, steps=settings.steps, energy=(low, high))
        )
        for low, high in pairwise(edges.tolist())
    ]
    for number in counted(range(settings.count), "generated", "structure", progress):
        seed = later_seed(settings.seed, number)
        atoms = free.make(seed)
        made.append(atoms)
        energies["random"].append(_at_rest(opened, atoms, settings))
        energies["conditional"].append(_at_rest(opened, conditional[number % WINDOWS].make(seed), settings))
        energies["random packing"].append(_packed(opened, atoms, settings, np.random.default_rng([seed, 3])))
    return made, {name: np.array(values) for name, values in energies.items()}


def _tell(energies: dict[str, np.ndarray], edges: np.ndarray) -> None:
    """Warns of structures that missed the window that they were made for, or that the potential could not relax."""
    count = len(energies["conditional"])
    missed = count - round(_hits(energies, edges)["conditional"] * count)
    failed = {name: int(np.isnan(values).sum()) for name, values in energies.items()}
    texts = [f"{missed} of {count} structures missed the window of energies that they were made for"] if missed else []
    texts += [f"{n} of {count} structures ({name}) could not be brought to rest" for name, n in failed.items() if n]
    for text in texts:
        warnings.warn(text, VitrifyWarning, stacklevel=4)


def _hits(energies: dict[str, np.ndarray], edges: np.ndarray) -> dict[str, float]:
    """The share of structures of each kind whose energy at rest lies in the window that conditional ones ask for."""
    hits = {}
    for name in ("conditional", "random", "random packing"):
        values = energies[name]
        window = np.searchsorted(edges[1:-1], values)
        inside = (values >= edges[0]) & (values <= edges[-1])
        hits[name] = float(np.mean((window == np.arange(len(values)) % WINDOWS) & inside))
    return hits


def _types(atoms: Atoms, species: Sequence[str]) -> np.ndarray:
    return np.array([species.index(symbol) for symbol in atoms.symbols])


def _at_rest(opened: TorchGlassVAE, atoms: Atoms, settings: Settings) -> float:
    """Energy (eV/atom) of the minimum in the same cell; NaN if the potential fails."""
    try:
        return relaxed(atoms, settings.potential, opened.metadata.species, relax_cell=False, force=1e-3)[1]
    except VitrifyError:
        return float("nan")


def _packed(opened: TorchGlassVAE, like: Atoms, settings: Settings, random: np.random.Generator) -> float:
    """Energy (eV/atom) of random positions, pushed apart and minimised, in a cube of the volume of `like`."""
    species = opened.metadata.species
    counts = np.bincount(_types(like, species), minlength=len(species)).tolist()
    density = len(like) / abs(float(np.linalg.det(like.cell[:])))
    try:
        with Simulation(species, counts, density, settings.potential, 0.001, 300.0, random) as run:
            return run.inherent_energy(1e-3)
    except VitrifyError:
        return float("nan")
