"""Initial weights of the equivariant GlassVAE, with which z is the best linear code of g(r) and energies.

From random weights, z learns slowly, because its losses are small beside those of the potential: it takes hours until z
describes more of a structure than its temperature. The best linear code is known in closed form: it is the reduced-rank
regression of g(r) and energies on the pooled pair distances.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vitrify.glassvae.models.base import graph_sums
from vitrify.glassvae.models.equivariant import EquivariantGlassVAE, Residual
from vitrify.glassvae.training.batches import Item, make_batch

_RIDGE = 1e-4  # regularisation, in units of the largest variance of a pooled pair distance
_NARROW = -4.0  # log variance of z at the start
_AT_ONCE = 32  # number of structures in memory at a time


@torch.no_grad()
def start_latents(model: EquivariantGlassVAE, items: Sequence[Item]) -> None:
    """Sets the weights from pair distances to z, and from z to g(r), to the best linear ones for these structures."""
    pooled, rdf, energies = _observed(model, items)
    rank = min(model.config.summary, *pooled.shape)
    targets = np.hstack([_normalised(rdf - rdf.mean(0)), _normalised(energies - energies.mean(0))])
    weights, codes = _reduced_rank(pooled - pooled.mean(0), targets, rank)
    like = model.rdf_mean
    edge = model.edge_path.weight  # (centres * kinds, splines, summary)
    edge[..., :rank] = torch.as_tensor(weights).to(like).view(edge.shape[0], edge.shape[1], rank)
    summaries = pooled @ edge.flatten(0, 1).double().cpu().numpy()
    model.pooled_shift.copy_(torch.as_tensor(summaries.mean(0)))
    model.pooled_scale.copy_(torch.as_tensor(summaries.std(0)).clamp_min(1e-6))
    for block in model.edge_blocks:
        if isinstance(block, Residual):
            nn.init.zeros_(block.outer.weight)
            nn.init.zeros_(block.outer.bias)
    latent, split = model.latent, 2 * model.latent
    used = min(rank, latent)
    for perceptron in (model.posterior, model.read_rdf):
        nn.init.zeros_(perceptron.out.weight)
    linear = model.posterior.linear
    nn.init.zeros_(linear.bias[:latent])
    linear.weight[:used] = 0.0
    linear.weight[latent:] = 0.0
    linear.bias[latent:] = _NARROW
    linear.weight[torch.arange(used), split + torch.arange(used)] = 1.0
    means = (rdf - rdf.mean(0)).T @ codes[:, :used] / len(codes)
    nn.init.zeros_(model.read_rdf.linear.bias)
    model.read_rdf.linear.weight[:, :used] = torch.as_tensor(means).to(like)
    model.rdf_mean.copy_(torch.as_tensor(rdf.mean(0)).view_as(like))


def _observed(model: EquivariantGlassVAE, items: Sequence[Item]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For F structures: sums of pair functions over their atoms (F, K), g(r) (F, P bins), known energies (F, 1 or 2).

    Sums and energies are divided by the number of atoms.
    """
    rows: list[list[Tensor]] = [[], [], []]
    for start in range(0, len(items), _AT_ONCE):
        batch = make_batch(items[start : start + _AT_ONCE], model.rdf_mean)
        sums = model.basis(batch.types, batch.pairs, batch.vectors, len(batch.types))[..., 0]
        mine = nn.functional.one_hot(batch.types, model.n_species).to(sums)
        each = (mine[:, :, None, None] * sums.unsqueeze(1)).flatten(1)
        counts = batch.counts.unsqueeze(1)
        rows[0].append(graph_sums(each, batch.sample, len(batch.counts)) / counts)
        rows[1].append(batch.rdf.flatten(1))
        rows[2].append(batch.properties)
    pooled, rdf, energies = (torch.cat(parts).double().cpu().numpy() for parts in rows)
    return pooled, rdf, energies[:, np.isfinite(energies).all(0)]


def _normalised(values: np.ndarray) -> np.ndarray:
    """Centred rows (F, K), scaled so that the variances of the columns add up to one."""
    spread = float(np.sqrt(np.square(values).sum(1).mean())) if values.size else 0.0
    return values / max(spread, 1e-12)


def _reduced_rank(inputs: np.ndarray, outputs: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (K, rank) and codes inputs @ weights (F, rank) of variance one, from which outputs are predicted best.

    inputs: (F, K). outputs: (F, any). The codes are ordered by the variance of the outputs that they explain.
    """
    gram = inputs.T @ inputs / len(inputs)
    ridge = _RIDGE * max(float(np.diag(gram).max()), 1e-12) * np.eye(len(gram))
    fit = np.linalg.solve(gram + ridge, inputs.T @ outputs / len(inputs))
    directions = np.linalg.svd(inputs @ fit, full_matrices=False)[2][:rank]
    weights = fit @ directions.T
    codes = inputs @ weights
    spread = np.maximum(np.sqrt(np.square(codes).mean(0)), 1e-12)
    return weights / spread, codes / spread
