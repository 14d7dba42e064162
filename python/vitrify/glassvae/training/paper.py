"""The training task of the paper's GlassVAE and of its ablations, with the losses of the paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vitrify.core.errors import VitrifyError
from vitrify.data.frames import Frame
from vitrify.glassvae.models.base import graph_sums
from vitrify.glassvae.models.paper import FixedGlassVAE
from vitrify.glassvae.training.batches import Batch, Item, divergence, energy_scale, make_batch, weighted_mean
from vitrify.glassvae.training.config import LossConfig
from vitrify.training.task import Task

_BINS, _FROM = 50, 1.5  # number of bins of the soft histogram of distances, and its start in the unit of length
_COSINE = 0.1  # weight of directions beside distances (the paper's lambda, which it does not give)
PARTS = ("energy", "kl", "rdf", "node", "edge")


class PaperTask(Task):
    """A variant of the paper with its losses; forces are not trained.

    scales: (2,), spread of the energy for each atom, and of the distances, in their units.
    """

    model: FixedGlassVAE
    scales: Tensor
    n_statistics = len(PARTS) + 1

    def __init__(self, model: FixedGlassVAE, weights: LossConfig) -> None:
        super().__init__()
        self.model = model
        names = PARTS if model.decodes else ("energy",)
        self.weights = {name: value for name, value in weights.model_dump().items() if name in names}
        self.register_buffer("scales", torch.ones(2))

    @staticmethod
    def collate(samples: Sequence[Item]) -> list[Item]:
        """A batch is the list of frames; their graph is built later."""
        return list(samples)

    def parts(self, items: Sequence[Item], train: bool) -> dict[str, Tensor]:
        """The parts of the loss by name, each about 1 before training."""
        model, batch = self.model, make_batch(items, self.scales)
        n = len(items)
        atom = torch.cat([torch.arange(len(item.frame)) for item in items]).to(batch.types.device)
        features, contributions = model.atoms(*self._graph(batch, atom))
        mu, log_variance, summary = model.head(graph_sums(contributions, batch.sample, n), batch.counts)
        each = model.energies(features, batch.types, batch.sample, mu, summary)
        energy = graph_sums(each.unsqueeze(1), batch.sample, n).squeeze(1)
        parts = {"energy": ((energy - batch.energies) / batch.counts / self.scales[0]).square().mean()}
        if not model.decodes:
            return parts
        parts["kl"] = divergence(mu, log_variance)
        z = mu + (0.5 * log_variance).exp() * batch.noise if train else mu
        logits, attributes = model.rebuilt(z, batch.sample, atom, batch.pairs, batch.vectors)
        exact = batch.vectors.norm(dim=1)
        parts["rdf"] = self._rdf(attributes[:, 3], exact, batch, n)
        parts["node"] = nn.functional.cross_entropy(logits, batch.types)
        cosine = nn.functional.cosine_similarity(attributes[:, :3], batch.vectors, dim=1)
        distances = ((attributes[:, 3] - exact) / self.scales[1]).square()
        parts["edge"] = (distances + _COSINE * (1.0 - cosine)).mean()
        return parts

    def _graph(self, batch: Batch, atom: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
        if int(batch.counts.min()) != self.model.n_atoms or int(batch.counts.max()) != self.model.n_atoms:
            raise VitrifyError(
                f"structures of {int(batch.counts.min())} to {int(batch.counts.max())} atoms, but this variant is tied "
                f"to model.atoms, {self.model.n_atoms}: set it, or train variant equivariant"
            )
        return batch.types, batch.pairs, batch.vectors, len(batch.types)

    def _rdf(self, distances: Tensor, exact: Tensor, batch: Batch, n: int) -> Tensor:
        """Relative squared difference of the soft g(r) of decoded and exact distances, mean over structures."""
        first = self._soft(distances, batch, n)
        second = self._soft(exact, batch, n)
        relative = (first - second).square().sum((1, 2)) / second.square().sum((1, 2))
        return relative.mean()

    def _soft(self, distances: Tensor, batch: Batch, n: int) -> Tensor:
        """g(r) of each structure and pair of species (n, P, bins), with Gaussian bins, in the volume of each cell."""
        model = self.model
        width = (float(model.cutoff) - _FROM) / _BINS
        r = _FROM + width * (torch.arange(_BINS, device=distances.device).to(distances) + 0.5)
        soft = torch.exp(-0.5 * ((distances.unsqueeze(1) - r) / width).square()) / (width * (2 * np.pi) ** 0.5)
        a, b = batch.types[batch.pairs]
        high, low = torch.maximum(a, b), torch.minimum(a, b)
        kinds = model.n_species * (model.n_species + 1) // 2
        row = batch.sample[batch.pairs[0]] * kinds + high * (high + 1) // 2 + low
        sums = soft.new_zeros([n * kinds, _BINS]).index_add(0, row, soft).view(n, kinds, _BINS)
        shells = 4 * np.pi * r.square() * (batch.counts.square() / batch.volumes).view(n, 1, 1)
        found: Tensor = sums / shells
        return found

    def forward(self, batch: list[Item]) -> Tensor:
        """The loss of a training batch: the weighted mean of its parts."""
        return weighted_mean(self.parts(batch, train=True), self.weights)

    @torch.no_grad()
    def statistics(self, batch: list[Item]) -> Tensor:
        """The parts of the loss in the order of PARTS, 0 if the variant lacks one, and their weighted mean."""
        parts = self.parts(batch, train=False)
        zero = torch.zeros_like(parts["energy"])
        return torch.stack([*(parts.get(name, zero) for name in PARTS), weighted_mean(parts, self.weights)])

    def metrics(self, means: Tensor) -> dict[str, float]:
        """Errors of energies and distances in their units, and the parts of the loss."""
        values = dict(zip(PARTS, means.tolist(), strict=False))
        found = {
            "val_loss": float(means[-1]),
            "energy_rmse_per_atom": values["energy"] ** 0.5 * float(self.scales[0]),
            "energy_r2": 1.0 - values["energy"],
        }
        if self.model.decodes:
            found |= {"edge_loss": values["edge"], "rdf_error": values["rdf"] ** 0.5}
            found |= {"species_cross_entropy": values["node"], "kl": values["kl"]}
        return found


def calibrate(task: PaperTask, frames: Sequence[Frame]) -> None:
    """Sets all scales from the training data."""
    task.scales[0] = energy_scale(frames, task.model)
    # The standard deviation of distances from the centre of a sphere to points that fill it uniformly.
    task.scales[1] = float(task.model.cutoff) * (3 / 5 - 9 / 16) ** 0.5
