"""The training task of the equivariant GlassVAE: a potential, and a latent vector that describes the structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vitrify.amshortcut.training.task import AMShortcutTask
from vitrify.data.datasets import evenly_spread
from vitrify.data.frames import Frame
from vitrify.generation.processes import Flow
from vitrify.glassvae.models.base import graph_sums
from vitrify.glassvae.models.equivariant import EquivariantGlassVAE
from vitrify.glassvae.models.latent_density import fit_density
from vitrify.glassvae.training.batches import (
    PARTS,
    Batch,
    Item,
    Items,
    divergence,
    energy_scale,
    make_batch,
    weighted_mean,
)
from vitrify.glassvae.training.config import LossConfig
from vitrify.glassvae.training.latent_start import start_latents
from vitrify.graphs.neighbours import neighbour_list
from vitrify.training.checkpoint import BEST, load_checkpoint, save_checkpoint
from vitrify.training.task import Task

_FORGET = 0.01  # share of a batch in the running mean and spread of z
_OBSERVED = 64  # structures that give the scales before training
_CODED = 600  # structures that give the first latent vectors


@dataclass(frozen=True)
class Answer:
    """The predictions of the network for a batch.

    energies: (S,), of the whole cells. forces: (M, 3). stresses: (S, 3, 3). mu, log_variance: (S, latent), of z. sums:
    A (M, kinds, size, 9), the sums over the neighbours of each atom.
    """

    energies: Tensor
    forces: Tensor
    stresses: Tensor
    mu: Tensor
    log_variance: Tensor
    sums: Tensor


def answer(model: EquivariantGlassVAE, batch: Batch, graph: bool = True) -> Answer:
    """The predictions for a batch; with `graph`, they can be differentiated with respect to the weights.

    Energies are differentiated with respect to A, which holds no weight; from there, `EdgeBasis.vector_gradient` gives
    the forces.
    """
    n = len(batch.counts)
    with torch.no_grad():
        sums = model.basis(batch.types, batch.pairs, batch.vectors, len(batch.types))
    with torch.enable_grad():
        sums.requires_grad_()
        core = torch.zeros_like(sums[:, 0, 0, 0])  # the training data have no pair that is close enough for it
        features, contributions = model.described(sums, batch.types, core)
        mu, log_variance, summary = model.head(graph_sums(contributions, batch.sample, n), batch.counts)
        each = model.energies(features, batch.types, batch.sample, mu, summary)
        (by_sums,) = torch.autograd.grad(each.sum(), sums, create_graph=graph, retain_graph=True)
    energies = graph_sums(each.unsqueeze(1), batch.sample, n).squeeze(1)
    by_edge = model.basis.vector_gradient(by_sums, batch.types, batch.pairs, batch.vectors)
    centres, neighbours = batch.pairs
    zero = torch.zeros_like(batch.forces)
    forces = zero.index_add(0, centres, by_edge).index_add(0, neighbours, -by_edge)
    virial = (batch.vectors.unsqueeze(2) * by_edge.unsqueeze(1)).flatten(1)
    stresses = graph_sums(virial, batch.sample[centres], n).view(n, 3, 3) / batch.volumes.view(n, 1, 1)
    return Answer(energies, forces, stresses, mu, log_variance, sums.detach())


class GlassVAETask(Task):
    """The equivariant variant with its losses.

    scales: (3,), spread of the energy for each atom, of the forces and of the stress, in their units. rdf_scale: mean
    squared deviation of g(r) from its mean.
    """

    model: EquivariantGlassVAE
    scales: Tensor
    rdf_scale: Tensor
    n_statistics = len(PARTS) + 1

    def __init__(self, model: EquivariantGlassVAE, weights: LossConfig) -> None:
        super().__init__()
        self.model, self.weights = model, weights.model_dump()
        self.positions = AMShortcutTask(model.decoder, Flow(model.n_species, model.decoder.spread))
        self.register_buffer("scales", torch.ones(3))
        self.register_buffer("rdf_scale", torch.ones(()))

    @staticmethod
    def collate(samples: Sequence[Item]) -> list[Item]:
        """A batch is the list of frames; their graph is built later."""
        return list(samples)

    def parts(self, items: Sequence[Item], train: bool) -> dict[str, Tensor]:
        """The parts of the loss by name, each about 1 before training."""
        model = self.model
        batch = make_batch(items, self.scales)
        found = answer(model, batch, graph=train)
        parts = self._of_potential(found, batch)
        mu, log_variance = found.mu, found.log_variance
        parts["kl"] = divergence(mu, log_variance)
        z = mu + (0.5 * log_variance).exp() * batch.noise if train else mu
        parts["rdf"] = (model.decode_rdf(z) - batch.rdf).square().mean() / self.rdf_scale
        logits = model.decode_species(batch.sample, batch.pairs, batch.vectors, z)
        parts["node"] = nn.functional.cross_entropy(logits, batch.types)
        errors = (model.decode_energies(z) - batch.properties) / model.property_scale
        parts["latent"] = torch.nan_to_num(errors).square().mean()
        if train:
            self._follow(mu.detach())
        latents = z.detach().double().cpu().numpy()
        ones = np.ones(model.latent)
        draws = [
            replace(draw, properties=row, known=ones)
            for item, row in zip(items, latents, strict=True)
            for draw in item.draws
        ]
        losses = self.positions(draws) if train else self.positions.statistics(draws)[0]
        parts["edge"] = losses / (3.0 * model.decoder.churn_spread.square())
        return parts

    def _of_potential(self, found: Answer, batch: Batch) -> dict[str, Tensor]:
        energy = (found.energies - batch.energies) / batch.counts
        known = ~batch.stresses.isnan()
        parts = {"energy": (energy / self.scales[0]).square().mean()}
        for name, predicted, true, scale in (
            ("forces", found.forces, batch.forces, self.scales[1]),
            ("stress", found.stresses, batch.stresses, self.scales[2]),
        ):
            known = ~true.isnan()
            errors = torch.where(known, predicted - torch.nan_to_num(true), torch.zeros_like(predicted)) / scale
            parts[name] = errors.square().sum() / known.sum().clamp_min(1)
        return parts

    @torch.no_grad()
    def _follow(self, mu: Tensor) -> None:
        """Updates the running mean and spread of z in the decoder, from mu (S, latent)."""
        condition = self.model.decoder.condition
        condition.property_mean.lerp_(mu.mean(0), _FORGET)
        spread = (mu - condition.property_mean).square().mean(0)
        square = condition.property_scale.square().lerp(spread, _FORGET)
        condition.property_scale.copy_(square.sqrt().clamp_min(1e-3))

    def forward(self, batch: list[Item]) -> Tensor:
        """The loss of a training batch: the weighted mean of its parts."""
        return weighted_mean(self.parts(batch, train=True), self.weights)

    def statistics(self, batch: list[Item]) -> Tensor:
        """The parts of the loss in the order of PARTS, and their weighted mean: (n_statistics,)."""
        parts = {name: value.detach() for name, value in self.parts(batch, train=False).items()}
        return torch.stack([*(parts[name] for name in PARTS), weighted_mean(parts, self.weights)])

    def metrics(self, means: Tensor) -> dict[str, float]:
        """Errors of the potential in its units, and the parts of the loss that concern z."""
        values = dict(zip(PARTS, means.tolist(), strict=False))
        energy, forces, stress = (
            values[name] ** 0.5 * scale for name, scale in zip(PARTS[:3], self.scales.tolist(), strict=True)
        )
        return {
            "val_loss": float(means[-1]),
            "energy_rmse_per_atom": energy,
            "energy_r2": 1.0 - values["energy"],
            "force_rmse": forces,
            "force_rmse_over_rms": values["forces"] ** 0.5,
            "stress_rmse": stress,
            "rdf_error": values["rdf"] ** 0.5,
            "species_cross_entropy": values["node"],
            "latent_energy_error": values["latent"] ** 0.5,
            "kl": values["kl"],
            "position_loss": values["edge"],
        }


@torch.no_grad()
def calibrate(task: GlassVAETask, frames: Sequence[Frame], least: Sequence[float]) -> None:
    """Sets all scales of the task and its model from the training data.

    least: smallest distance of each pair of species a >= b, at a (a + 1) / 2 + b, in the unit of length.
    """
    model = task.model
    n, like = model.n_species, task.scales
    task.scales[0] = energy_scale(frames, model)
    stresses = np.concatenate([frame.stress.ravel() for frame in frames])
    forces = np.concatenate([frame.forces.ravel() for frame in frames])
    for number, values in enumerate((forces, stresses), 1):
        known = values[np.isfinite(values)]
        task.scales[number] = max(float(np.sqrt(np.mean(known**2))), 1e-12) if len(known) else 1.0
    for a in range(n):
        for b in range(a + 1):
            model.least[a, b] = model.least[b, a] = least[a * (a + 1) // 2 + b]
    source = Items(frames, model)
    items = [source[index, 0] for index in evenly_spread(len(frames), _OBSERVED)]
    batch = make_batch(items, like)
    sums = model.basis(batch.types, batch.pairs, batch.vectors, len(batch.types))
    model.invariants.observe(sums, batch.types)
    blind = torch.zeros_like(batch.types)
    model.unlabelled.observe(model.blind_basis(blind, batch.pairs, batch.vectors, len(blind)), blind)
    thermal = [index for index, frame in enumerate(frames) if frame.thermal] or list(range(len(frames)))
    start_latents(model, [source[thermal[place], 0] for place in evenly_spread(len(thermal), _CODED)])
    squares = [np.square(item.draws[0].target_x).mean() for item in items]
    model.decoder.churn_spread.fill_(float(np.mean(squares)) ** 0.5)
    task.rdf_scale.copy_((batch.rdf - batch.rdf.mean(0)).square().mean().clamp_min(1e-12))


def fit_latents(folder: Path, task: GlassVAETask, frames: Sequence[Frame]) -> None:
    """Fits the density of z to the training data, for the best weights of a finished run, and saves it with them.

    A second call changes nothing.
    """
    progress, content = load_checkpoint(folder / BEST)
    task.load_state_dict(content["averaged"])
    task.eval()
    model = task.model
    thermal = [frame for frame in frames if frame.thermal] or list(frames)
    z = encode(model, thermal)
    inherent = np.array([frame.inherent_energy for frame in thermal])
    energies = inherent if np.isfinite(inherent).any() else np.array([frame.energy_per_atom for frame in thermal])
    density = fit_density(np.column_stack([z, energies]), model.config.components)
    shares = [np.bincount(frame.types, minlength=model.n_species) / len(frame) for frame in thermal]
    states = np.column_stack([[frame.number_density for frame in thermal], shares, z])
    for name, values in (
        ("density_weight", density.weights), ("density_mean", density.means),
        ("density_covariance", density.covariances),
        ("state_mean", states.mean(0)), ("state_covariance", np.cov(states.T, bias=True)),
    ):  # fmt: skip
        getattr(model, name).copy_(torch.as_tensor(values))
    # The variance of the error of a cell's energy, divided by its number of atoms; annealing corrects energies by it.
    variance = (1.0 - progress.metrics["energy_r2"]) * float(model.energy_scale) ** 2
    progress = replace(progress, metrics={**progress.metrics, "energy_variance": variance})
    save_checkpoint(folder / BEST, progress, {"averaged": task.state_dict()}, content["info"])


@torch.no_grad()
def encode(model: EquivariantGlassVAE, frames: Sequence[Frame]) -> np.ndarray:
    """The means mu (F, latent) of the latent vectors of frames."""
    like = model.energy_scale
    rows = []
    for frame in frames:
        pairs, vectors = neighbour_list(frame.positions, frame.cell, float(model.cutoff))
        rows.append(
            model(torch.as_tensor(frame.types), torch.as_tensor(pairs), torch.as_tensor(vectors).to(like))[1].numpy()
        )
    return np.array(rows, dtype=float)
