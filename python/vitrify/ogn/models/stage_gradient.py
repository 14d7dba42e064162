"""The sums of one stage of the pair variant, by the compiled core, for fast training on a CPU.

The numbers equal those of `Stage.sums` in float32. There are gradients with respect to the nodes and the filters, but
not to the edges, which are data. The core is several times as fast, because it visits each pair once and stores no
array as large as the list of pairs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vitrify import _core


class StageSums(torch.autograd.Function):
    """(x (M, width), table (kinds, size + 3, filters), shape, edges...) -> sums (M, outputs), float32."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, table: Tensor, shape: Any, edge_index: Tensor, edge_vectors: Tensor, types: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x, table, edge_index, edge_vectors, types)
        ctx.shape = shape
        arrays = [t.detach().contiguous().numpy() for t in (edge_index, edge_vectors, types, x, table)]
        return torch.from_numpy(_core.stage_forward(shape, *arrays))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, table, edge_index, edge_vectors, types = ctx.saved_tensors
        tensors = (edge_index, edge_vectors, types, x, table, gradients[0])
        arrays = [t.detach().contiguous().numpy() for t in tensors]
        by_x, by_table = _core.stage_backward(ctx.shape, *arrays)
        return torch.from_numpy(by_x), torch.from_numpy(by_table), None, None, None, None


def applies_to(x: Tensor) -> bool:
    """Whether a gradient is needed that the core can compute: on a CPU, in float32, not inside torch.compile."""
    return (
        torch.is_grad_enabled()
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.compiler.is_compiling()
    )


def stage_sums(stage: Any, x: Tensor, edge_index: Tensor, edge_vectors: Tensor, types: Tensor) -> Tensor:
    """The sums that `Stage.sums` returns, in float64, for nodes that are all owned."""
    shape = _core.StageShape(
        channels=stage.channels,
        scalars=stage.scalars,
        moments=stage.moments,
        size=stage.filters.size,
        start=stage.filters.start,
        inverse_spacing=stage.filters.inverse_spacing,
        onset=stage.envelope.onset,
        cutoff=stage.cutoff,
    )
    table = torch.nn.functional.pad(stage.filters.weight, [0, 0, 0, 3])
    sums: Tensor = StageSums.apply(x, table, shape, edge_index, edge_vectors, types)  # type: ignore[no-untyped-call]
    return sums.double()
