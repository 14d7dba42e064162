"""The contract of all generator models: a denoiser of a noisy structure, given time, step size and properties.

A generator turns noise (time 1) into a glass (time 0). Its network says, for each atom, how to move:

    displacement, elements = model(elements, sample, edge_index, edge_vectors, time, step, properties, known)

Shapes: N atoms of S structures; elements (N, kinds) are one-hot species or noisy embeddings of them, sample (N,) the
structure of each atom; edge_index (2, E) = (centre, neighbour), sorted by centre, and edge_vectors (E, 3) = r_j -
r_i hold every periodic image within the cutoff; time (S,) and step (S,) lie in [0, 1]; properties (S, P) in their
units, known (S, P) is 1 where a property is asked for and 0 where it is not. What the two outputs, (N, 3) and
(N, kinds), mean is a matter of the process (`vitrify.generation.processes`), and so is the number of kinds: the
species, and ghosts where the process has them.
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
    """Base of what embeds time, step size and properties of each structure.

    forward(time (S,), step (S,), properties (S, P), known (S, P)) -> (S, width). Properties are standardised by mean
    and spread of the training data.
    """

    property_mean: Tensor
    property_scale: Tensor
    random = False  # whether a property that is not asked for is embedded as something else in each call

    def __init__(self, n_properties: int, width: int) -> None:
        super().__init__()
        self.n_properties, self.width = n_properties, width
        self.register_buffer("property_mean", torch.zeros(n_properties))
        self.register_buffer("property_scale", torch.ones(n_properties))

    def standard(self, properties: Tensor) -> Tensor:
        """Properties (S, P) in their units -> standardised; far beyond the data, they stay at the edge."""
        return ((properties - self.property_mean) / self.property_scale).clamp(-4.0, 4.0)

    @torch.jit.unused
    def calibrate(self, mean: Tensor, scale: Tensor) -> None:
        """Takes mean and spread (P,); a property that never varies is centred, not divided by zero."""
        self.property_mean.copy_(mean)
        self.property_scale.copy_(torch.where(scale > 1e-12 * mean.abs(), scale, torch.ones_like(scale)))


class Condition(PropertyCondition):
    """Embeds time, step size and properties of each structure (paper, eq. 6, with two changes).

    Time and step enter as Fourier features. A property that is not asked for has a learned embedding: a random one, as
    in the paper, is another condition in each step of the sampler and fails when there is one step only.
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
            # The second part bends, so that few layers suffice for a property that saturates.
            parts = standard.unsqueeze(2) * self.weight[:, 0] + torch.tanh(standard).unsqueeze(2) * self.weight[:, 1]
            mask = known.unsqueeze(2)
            found = found + (mask * parts + (1.0 - mask) * self.null).sum(1)
        return nn.functional.silu(self.mix(nn.functional.silu(found)))


def _fourier(values: Tensor) -> Tensor:
    """(S,) in [0, 1] -> (S, 2 * 8 + 1): half-waves that become shorter by factors of two, and the value itself."""
    octaves = torch.arange(8, dtype=values.dtype, device=values.device)
    waves = values.unsqueeze(1) * (math.pi * 0.5) * torch.pow(2.0, 0.75 * octaves)
    return torch.cat([values.unsqueeze(1), torch.sin(waves), torch.cos(waves)], dim=1)


class AMShortcut(nn.Module, ABC):
    """Base of the variants; a variant sets `process` and `hyperparameters`, and defines `denoise`."""

    process: str

    def __init__(
        self, system: System, cutoff: float, layers: int, node_width: int, condition: PropertyCondition
    ) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.layers = layers
        self.node_width = node_width
        self.reverse_edges = False
        # What training asks: see the configurations of the variants. Ghosts fill the cell to this number density.
        self.shortcuts, self.shortest, self.null, self.middle = 0.0, 1.0, 0.0, 0.0
        self.ghost_density: float | None = None
        self.spread = 0.0  # of the noise at time 1, where it belongs to the model
        self.long_steps = True  # otherwise velocities alone are learned, and the length of a step is not looked at
        self.n_species = len(system.species)
        self.kinds = self.n_species  # length of an element embedding
        self.condition = condition

    @abstractmethod
    def denoise(
        self, elements: Tensor, sample: Tensor, edge_index: Tensor, edge_vectors: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The two outputs, (N, 3) and (N, kinds), given the embedded condition (S, width)."""

    def forward(
        self,
        elements: Tensor,
        sample: Tensor,
        edge_index: Tensor,
        edge_vectors: Tensor,
        time: Tensor,
        step: Tensor,
        properties: Tensor,
        known: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """What the module's docstring says; the mean displacement of each structure is zero."""
        if not self.long_steps:
            step = torch.zeros_like(step)
        condition = self.condition(time, step, properties, known)
        vectors, kinds = self.denoise(elements, sample, edge_index, edge_vectors, condition)
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
        """The model as its file shall hold it."""
        return self

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        """What the native engine needs beside the weights; empty for a variant that only TorchScript can run."""
        return {}
