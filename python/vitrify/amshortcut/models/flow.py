"""`variant: flow`, the generator that ships: an equivariant network of moments that learns average velocities.

Each layer sums the neighbours' features, times a radial function, times the harmonics of the direction up to rank two,
and mixes these moments atom by atom. An edge costs O(width) and all matrix products are per atom, so that one
evaluation costs about as much as a few steps of a classical potential. Time, step size and properties scale and shift
the hidden values of every atom's network, and enter nowhere else. So the condition acts on each neighbourhood by
itself, and any cell size works.
"""

# No postponed annotations here: TorchScript must see the real types.

import math
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch._jit_internal import is_scripting

from vitrify.amshortcut.models.base import AMShortcut, Condition
from vitrify.models import moment_sums
from vitrify.models.base import ModelConfig, System
from vitrify.models.nn import CubicSplines


class FlowConfig(ModelConfig):
    """Hyperparameters of the flow variant; lengths in the unit of the data (A in metal units, sigma in lj).

    cutoff: of the graph (length). width: number of features of an atom. layers: number of moment layers. splines:
    number of radial splines. condition: width of the embedded condition. spread: standard deviation of the noise on the
    lattice from which the flow starts (length). shortcuts: share of the batches that learn long steps from two halves.
    shortest: shortest step that is learned in this way, in units of the whole way. null: probability in training that
    a property is not given. middle: share of the times that are drawn preferably near the middle.
    """

    variant: Literal["flow"] = "flow"
    cutoff: float = Field(5.0, gt=0)
    width: int = Field(48, ge=8, le=256, multiple_of=8)
    layers: int = Field(3, ge=1, le=8)
    splines: int = Field(20, ge=8, le=64)
    condition: int = Field(64, ge=8)
    spread: float = Field(1.2, gt=0)
    shortcuts: float = Field(0.25, gt=0, le=1)
    shortest: float = Field(1 / 32, gt=0, lt=1)
    null: float = Field(0.15, ge=0, le=1)
    middle: float = Field(0.6, ge=0, le=1)

    @model_validator(mode="after")
    def _noise_is_short(self) -> Self:
        if self.spread >= self.cutoff:
            raise ValueError(f"spread {self.spread} is not below the cutoff {self.cutoff}")
        return self


class MomentLayer(nn.Module):
    """One exchange between neighbours; features are scalars s (N, W) and vectors v (N, 3, W).

    first: the layer is the first one, whose input has no vectors.
    """

    def __init__(self, width: int, splines: int, cutoff: float, condition: int, first: bool) -> None:
        super().__init__()
        self.width = width
        self.first = first
        self.filters = CubicSplines(1, width if first else 2 * width, 0.0, cutoff, splines)
        vectors = 1 if first else 3
        self.mix = nn.Parameter(torch.randn(vectors * width, 2 * width) / (vectors * width) ** 0.5)
        self.hidden = nn.Linear((5 if first else 6) * width, 2 * width)
        self.modulation = nn.Linear(condition, 4 * width)
        self.out = nn.Linear(2 * width, 3 * width)
        nn.init.zeros_(self.modulation.bias)
        with torch.no_grad():
            self.modulation.weight.mul_(0.5)
            self.filters.weight.mul_(4.0)

    def forward(
        self, s: Tensor, v: Tensor, sample: Tensor, edge_index: Tensor, distances: Tensor, directions: Tensor,
        condition: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """New s (N, W) and v (N, 3, W).

        sample: (N,). distances: (E,). directions: (E, 9), the `harmonics`. condition: (S, condition).
        """
        w = s.shape[1]
        moments, carried = self.sums(s, v, edge_index, distances, directions)
        zeroth, first, second = moments[:, 0], moments[:, 1:4], moments[:, 4:]
        scalars = [s, zeroth]
        if self.first:
            vectors = first
        else:
            scalars.append(carried[:, 0])
            vectors = torch.cat([v, first, carried[:, 1:]], dim=2)
        mixed = _normal(vectors @ self.mix)
        a, b = mixed[:, :, :w], mixed[:, :, w:]
        second = _normal(second)
        turned = contracted(second, a)
        scalars += [(a * b).sum(1), second.square().sum(1), (a * turned).sum(1)]
        x = torch.cat(scalars, dim=1)
        x = nn.functional.layer_norm(x, [x.shape[1]])
        scale, shift = self.modulation(condition)[sample].chunk(2, dim=1)
        x = nn.functional.silu(self.hidden(x) * (1.0 + scale) + shift)
        change, gate, turn = self.out(x).chunk(3, dim=1)
        return s + change, v + gate.unsqueeze(1) * b + turn.unsqueeze(1) * turned

    def sums(
        self, s: Tensor, v: Tensor, edge_index: Tensor, distances: Tensor, directions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Moments (N, 9, W) of the scalars, and of the vectors (N, 4, W): along the edges, then x, y, z.

        The first layer has no vectors; its second result is (0, 4, W).
        """
        if not is_scripting():
            compiled = moment_sums.applies_to(s, distances, directions)
            if compiled:
                return moment_sums.moment_sums(
                    self.filters, s, None if self.first else v, edge_index, distances, directions
                )
        n, w = s.shape
        centres, neighbours = edge_index[0], edge_index[1]
        filters = self.filters(distances, torch.zeros_like(centres))
        radial = filters[:, :w] * s[neighbours]
        moments = s.new_zeros([n, 9, w]).index_add(0, centres, directions.unsqueeze(2) * radial.unsqueeze(1))
        if self.first:
            return moments, s.new_zeros([0, 4, w])
        moved = filters[:, w:].unsqueeze(1) * v[neighbours]
        along = (directions[:, 1:4].unsqueeze(2) * moved).sum(1, keepdim=True)
        return moments, s.new_zeros([n, 4, w]).index_add(0, centres, torch.cat([along, moved], dim=1))


def _normal(x: Tensor) -> Tensor:
    """Tensors (N, components, W), scaled so that their mean square over the channels stays below one."""
    return x * torch.rsqrt(1.0 + x.square().sum(1, keepdim=True).mean(2, keepdim=True))


def contracted(second: Tensor, a: Tensor) -> Tensor:
    """Symmetric traceless tensors (N, 5, W), as `harmonics` orders them, times vectors (N, 3, W)."""
    xy, yz, zz, xz, xx_yy = second.unbind(1)
    x, y, z = a.unbind(1)
    third = zz / math.sqrt(3.0)
    return torch.stack(
        [
            (xx_yy - third) * x + xy * y + xz * z,
            xy * x - (xx_yy + third) * y + yz * z,
            xz * x + yz * y + 2.0 * third * z,
        ],
        dim=1,
    )


def harmonics(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Distances (E,) and harmonics of the directions (E, 9): 1, x, y, z, xy, yz, zz, xz, xx-yy, up to rank two.

    The squares of the harmonics of rank two add up to 1/3 of the squares of those of rank one.
    """
    distances = vectors.square().sum(1).sqrt()
    x, y, z = (vectors / distances.clamp_min(1e-6).unsqueeze(1)).unbind(1)
    zz, xx_yy = (3.0 * z * z - 1.0) / math.sqrt(12.0), 0.5 * (x * x - y * y)
    return distances, torch.stack([torch.ones_like(x), x, y, z, x * y, y * z, zz, x * z, xx_yy], dim=1)


class FlowAMShortcut(AMShortcut):
    """The flow variant: shortcut models (K. Frans et al., One step diffusion via shortcut models, 2025) from a lattice.

    churn_spread: root mean square of a component of the velocities (length), by which the sampler scales churn.
    """

    churn_spread: Tensor

    def __init__(self, config: FlowConfig, system: System) -> None:
        condition = Condition(len(system.properties), config.condition)
        super().__init__(system, config.cutoff, config.layers, config.width, condition)
        self.process = "flow"
        self.config = config
        self.spread, self.shortcuts, self.shortest = config.spread, config.shortcuts, config.shortest
        self.null, self.middle = config.null, config.middle
        self.register_buffer("churn_spread", torch.tensor(config.spread))
        self.embedding = nn.Parameter(torch.randn(self.n_species, config.width))
        self.blocks = nn.ModuleList(
            MomentLayer(config.width, config.splines, config.cutoff, config.condition, first=index == 0)
            for index in range(config.layers)
        )
        self.gate = nn.Linear(config.width, config.width)
        nn.init.zeros_(self.gate.bias)

    def outputs(
        self, elements: Tensor, sample: Tensor, edge_index: Tensor, edge_vectors: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Average velocities (N, 3), and zeros (N, kinds), since the species of the atoms are given."""
        s = elements @ self.embedding
        v = s.new_zeros([s.shape[0], 3, s.shape[1]])
        distances, directions = harmonics(edge_vectors)
        for block in self.blocks:
            s, v = block(s, v, sample, edge_index, distances, directions, condition)
        return (self.gate(s).unsqueeze(1) * v).mean(2), torch.zeros_like(elements)

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        """Sizes that the native engine needs beside the weights."""
        c = self.config
        sizes = {"width": c.width, "splines": c.splines, "condition": c.condition}
        return {**sizes, "spread": c.spread, "churn_spread": float(self.churn_spread.item())}
