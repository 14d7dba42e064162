"""The interface of all generator networks, which move the atoms of a structure between noise and glass.

A generator turns noise (time 1) into a glass (time 0). For each atom, its network predicts the motion:

    displacement, elements = model(elements, sample, edge_index, edge_vectors, time, step, properties, known)

There are N atoms in S structures. elements: (N, kinds), one-hot species or noisy embeddings of them. sample: (N,), the
structure of each atom. edge_index: (2, E) = (centre, neighbour), sorted by centre. edge_vectors: (E, 3) = r_j - r_i,
for every periodic image within the cutoff. time, step: (S,), in [0, 1]. properties: (S, P), in their units. known:
(S, P), 1 where a property is requested and 0 elsewhere. The process (`vitrify.generation.processes`) defines the
meaning of the two outputs, (N, 3) and (N, kinds), and the number of kinds: the species, and one more for ghosts.
"""

# No postponed annotations here: TorchScript must see the real types.

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from vitrify.models.base import System

_FREQUENCIES = 8


class PropertyCondition(nn.Module):
    """Base of the embeddings of time, step size and properties of each structure.

    forward(time (S,), step (S,), properties (S, P), known (S, P)) -> (S, width). Properties are standardised by mean
    and spread of the training data. random: a property that is not requested has a random embedding in each call.
    """

    property_mean: Tensor
    property_scale: Tensor
    random = False

    def __init__(self, n_properties: int, width: int) -> None:
        super().__init__()
        self.n_properties, self.width = n_properties, width
        self.register_buffer("property_mean", torch.zeros(n_properties))
        self.register_buffer("property_scale", torch.ones(n_properties))

    def standard(self, properties: Tensor) -> Tensor:
        """Properties (S, P) in their units -> standardised (S, P), limited to 4 standard deviations from the mean."""
        return ((properties - self.property_mean) / self.property_scale).clamp(-4.0, 4.0)

    @torch.jit.unused
    def calibrate(self, mean: Tensor, scale: Tensor) -> None:
        """Sets mean and spread (P,) of the properties; one that never varies is centred, not divided by zero."""
        self.property_mean.copy_(mean)
        self.property_scale.copy_(torch.where(scale > 1e-12 * mean.abs(), scale, torch.ones_like(scale)))


class Condition(PropertyCondition):
    """Embeds time, step size and properties of each structure (paper, eq. 6, with two changes).

    Time and step enter as Fourier features. A property that is not requested has a learned embedding. A random one, as
    in the paper, would be a different condition in each step of the sampler, which fails if there are few steps.
    """

    def __init__(self, n_properties: int, width: int) -> None:
        super().__init__(n_properties, width)
        self.times = nn.Linear(4 * _FREQUENCIES + 2, width)
        self.weight = nn.Parameter(torch.randn(n_properties, 2, width) / math.sqrt(2.0))
        self.null = nn.Parameter(0.3 * torch.randn(n_properties, width))
        self.mix = nn.Linear(width, width)

    def forward(self, time: Tensor, step: Tensor, properties: Tensor, known: Tensor) -> Tensor:
        """time, step (S,), properties, known (S, P) -> (S, width)."""
        found = self.times(torch.cat([_fourier(time), _fourier(step)], dim=1))
        if self.n_properties > 0:
            standard = self.standard(properties)
            # The second part is nonlinear, so that few layers suffice for a property that saturates.
            parts = standard.unsqueeze(2) * self.weight[:, 0] + torch.tanh(standard).unsqueeze(2) * self.weight[:, 1]
            mask = known.unsqueeze(2)
            found = found + (mask * parts + (1.0 - mask) * self.null).sum(1)
        return nn.functional.silu(self.mix(nn.functional.silu(found)))


def _fourier(values: Tensor) -> Tensor:
    """Values (S,) in [0, 1] -> (S, 2 * 8 + 1): themselves, sines and cosines, each shorter by a factor of 2^0.75."""
    octaves = torch.arange(8, dtype=values.dtype, device=values.device)
    waves = values.unsqueeze(1) * (math.pi * 0.5) * torch.pow(2.0, 0.75 * octaves)
    return torch.cat([values.unsqueeze(1), torch.sin(waves), torch.cos(waves)], dim=1)


class AMShortcut(nn.Module, ABC):
    """Base of the variants; a variant sets `process`, and defines `outputs` and `hyperparameters`.

    Settings of the training, explained with the variants' configurations: shortcuts, shortest, null, middle, spread.
    ghost_density: number of atoms and ghosts per volume, or None. long_steps: whether the length of a step matters;
    otherwise only velocities are learned. kinds: length of an element embedding.
    """

    process: str

    def __init__(
        self, system: System, cutoff: float, layers: int, node_width: int, condition: PropertyCondition
    ) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.layers = layers
        self.node_width = node_width
        self.reverse_edges = False
        self.shortcuts, self.shortest, self.null, self.middle = 0.0, 1.0, 0.0, 0.0
        self.ghost_density: float | None = None
        self.spread = 0.0
        self.long_steps = True
        self.n_species = len(system.species)
        self.kinds = self.n_species
        self.condition = condition

    @abstractmethod
    def outputs(
        self, elements: Tensor, sample: Tensor, edge_index: Tensor, edge_vectors: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The two outputs, (N, 3) and (N, kinds), given the embedded condition (S, width)."""

    def forward(
        self, elements: Tensor, sample: Tensor, edge_index: Tensor, edge_vectors: Tensor, time: Tensor, step: Tensor,
        properties: Tensor, known: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The two outputs, as in the module's docstring; the mean displacement of each structure is zero."""
        if not self.long_steps:
            step = torch.zeros_like(step)
        condition = self.condition(time, step, properties, known)
        vectors, kinds = self.outputs(elements, sample, edge_index, edge_vectors, condition)
        n = time.shape[0]
        counts = vectors.new_zeros([n]).index_add(0, sample, torch.ones_like(vectors[:, 0])).clamp_min(1.0)
        mean = vectors.new_zeros([n, 3]).index_add(0, sample, vectors) / counts.unsqueeze(1)
        return vectors - mean[sample], kinds

    @torch.jit.unused
    def calibrate(self, mean: Tensor, scale: Tensor) -> None:
        """Sets mean and spread of the properties (P,) of the training data."""
        self.condition.calibrate(mean, scale)

    @torch.jit.unused
    def exportable(self) -> "AMShortcut":
        """The module that the model file holds."""
        return self

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        """Sizes that the native engine needs beside the weights; empty for a variant that only TorchScript can run."""
        return {}
