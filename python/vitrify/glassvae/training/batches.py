"""The data set and the batches for the training of a GlassVAE, and parts of its losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitrify.amshortcut.training.task import Draw, Draws
from vitrify.analysis.structure import soft_rdf
from vitrify.data.frames import Frame
from vitrify.generation.processes import Flow
from vitrify.glassvae.models.base import GlassVAE
from vitrify.glassvae.models.equivariant import EquivariantGlassVAE
from vitrify.graphs.neighbours import neighbour_list


@dataclass(frozen=True)
class Item:
    """A frame prepared for training.

    pairs (2, E), vectors (E, 3): the edges. rdf: (P, bins), g(r) of each pair of species. noise: (latent,), standard
    normal numbers with which z is sampled. draws: inputs and targets of the decoder, without z.
    """

    frame: Frame
    pairs: np.ndarray
    vectors: np.ndarray
    rdf: np.ndarray
    noise: np.ndarray
    draws: tuple[Draw, ...]

    def to(self, device: Any, **_: Any) -> Item:
        """Returns itself, since tensors are moved when batches are made. Fabric calls this."""
        return self


class Items:
    """A data set for the training loop: data[index, seed] is the prepared frame `index`.

    times: number of noisy structures of each frame from which positions are decoded.
    """

    def __init__(self, frames: Sequence[Frame], model: GlassVAE, times: int = 1) -> None:
        self.frames, self.cutoff, self.latent = frames, float(model.cutoff), model.latent
        self.rdf = model.n_species, *model.rdf_bins()
        decoder = model.decoder if isinstance(model, EquivariantGlassVAE) else None
        self.draws = decoder and Draws(
            frames, Flow(model.n_species, decoder.spread), shortcuts=decoder.shortcuts, shortest=decoder.shortest,
            null=0.0, density=None, middle=decoder.middle, times=times,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, key: tuple[int, int]) -> Item:
        index, seed = key
        frame = self.frames[index]
        pairs, vectors = neighbour_list(frame.positions, frame.cell, self.cutoff)
        distances = np.linalg.norm(vectors, axis=1)
        rdf = soft_rdf(frame.types, pairs, distances, frame.volume, *self.rdf)
        noise = np.random.default_rng([seed, index, 1]).normal(size=self.latent)
        return Item(frame, pairs, vectors, rdf, noise, tuple(self.draws[key]) if self.draws else ())


@dataclass(frozen=True)
class Batch:
    """The tensors of S items with M atoms in all; unknown numbers are NaN.

    types, sample (structure of each atom): (M,). pairs: (2, E). vectors: (E, 3). counts (atoms of each structure),
    volumes: (S,). energies: (S,), of the whole cells. forces: (M, 3). stresses: (S, 3, 3). properties: (S, 2), energy
    and inherent energy for each atom. rdf: (S, P, bins). noise: (S, latent).
    """

    types: Tensor
    sample: Tensor
    pairs: Tensor
    vectors: Tensor
    counts: Tensor
    volumes: Tensor
    energies: Tensor
    forces: Tensor
    stresses: Tensor
    properties: Tensor
    rdf: Tensor
    noise: Tensor


def make_batch(items: Sequence[Item], like: Tensor) -> Batch:
    """All items in one graph, on the device and in the precision of `like`."""
    frames = [item.frame for item in items]
    first = np.cumsum([0, *map(len, frames)])

    def real(values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values, float)).to(like)

    def whole(values: Any) -> Tensor:
        return torch.as_tensor(values, device=like.device)

    return Batch(
        types=whole(np.concatenate([frame.types for frame in frames])),
        sample=whole(np.repeat(np.arange(len(frames)), np.diff(first))),
        pairs=whole(np.concatenate([item.pairs + start for item, start in zip(items, first, strict=False)], axis=1)),
        vectors=real(np.concatenate([item.vectors for item in items])),
        counts=real(np.diff(first)),
        volumes=real([frame.volume for frame in frames]),
        energies=real([frame.energy for frame in frames]),
        forces=real(np.concatenate([frame.forces for frame in frames])),
        stresses=real(np.stack([frame.stress for frame in frames])),
        properties=real([[frame.energy_per_atom, frame.inherent_energy] for frame in frames]),
        rdf=real(np.stack([item.rdf for item in items])),
        noise=real(np.stack([item.noise for item in items])),
    )


PARTS = ("energy", "forces", "stress", "kl", "rdf", "node", "latent", "edge")


def weighted_mean(parts: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """The weighted mean of the parts of a loss, with weights by name."""
    whole = sum(weights[name] for name in parts)
    return torch.stack([weights[name] / whole * value for name, value in parts.items()]).sum()


def divergence(mu: Tensor, log_variance: Tensor) -> Tensor:
    """The Kullback-Leibler divergence of N(mu, variance) from N(0, 1), summed over z, mean over the structures.

    mu, log_variance: (S, latent).
    """
    return 0.5 * (mu.square() + log_variance.exp() - 1.0 - log_variance).sum(1).mean()


def energy_scale(frames: Sequence[Frame], model: GlassVAE) -> float:
    """Sets the scales of energy of `model` from the frames.

    Returns the spread of the energies for each atom around a linear function of the composition, in the unit of energy.
    """
    n = model.n_species
    energies = np.array([frame.energy_per_atom for frame in frames])
    shares = np.array([np.bincount(frame.types, minlength=n) / len(frame) for frame in frames])
    inherent = np.array([frame.inherent_energy for frame in frames])
    sizes = float(np.mean([len(frame) for frame in frames]))
    with torch.no_grad():
        of = [torch.as_tensor(values).to(model.reference) for values in (shares, energies, inherent)]
        model.calibrate(of[0], of[1], of[2], sizes)
    return max(float(np.sqrt(np.mean((energies - shares @ model.reference.numpy()) ** 2))), 1e-12)
