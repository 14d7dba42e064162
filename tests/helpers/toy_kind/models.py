"""The network of the toy: neighbours within the cutoff, counted smoothly, times a learned factor of each species."""

# No postponed annotations here: TorchScript must see the real types.

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vitrify.models.base import ModelConfig, System, Variants


class CounterConfig(ModelConfig):
    """cutoff: where neighbours end, in the unit of lengths."""

    variant: Literal["counter"] = "counter"
    cutoff: float = Field(3.0, gt=0)


class Counter(nn.Module):
    """forward(types (N,), edge_index (2, E), edge_vectors (E, 3)) -> coordination (N,), its deviation (N,)."""

    def __init__(self, config: CounterConfig, system: System) -> None:
        super().__init__()
        self.cutoff, self.layers, self.node_width, self.reverse_edges = config.cutoff, 1, 1, False
        self.factor = nn.Parameter(torch.ones(len(system.species)))
        self.offset = nn.Parameter(torch.zeros(len(system.species)))

    def forward(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        near = (1.0 - edge_vectors.square().sum(1) / self.cutoff**2).clamp(0.0, 1.0)
        count = near.new_zeros([len(types)]).index_add(0, edge_index[0], near)
        value = self.factor[types] * count + self.offset[types]
        return value, torch.zeros_like(value)

    @torch.jit.unused
    def exportable(self) -> "Counter":
        return self

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        return {}


VARIANTS: Variants = {"counter": (CounterConfig, Counter)}
