"""The sums over neighbours of a layer of the flow variant, by the compiled core, for fast training on a CPU.

The numbers equal those of eager torch, in float32 or float64. There are gradients with respect to the features and the
splines, but not to the edges, which are data. Each edge is computed in registers, so that no array is as large as the
list of edges.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vitrify import _core
from vitrify.models.nn import CubicSplines


class MomentSums(torch.autograd.Function):
    """(s (N, W), v (N, 3, W) or None, weight (1, size, filters), ...) -> moments (N, 9, W), carried (N or 0, 4, W).

    The further inputs are edge_index (2, E), distances (E,), harmonics (E, 9), and the start and the inverse spacing of
    the splines.
    """

    @staticmethod
    def forward(
        ctx: Any, s: Tensor, v: Tensor | None, weight: Tensor, edge_index: Tensor, distances: Tensor,
        harmonics: Tensor, start: float, inverse_spacing: float,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        tensors = edge_index, distances, harmonics, s, v, weight
        ctx.save_for_backward(*tensors)
        ctx.splines = start, inverse_spacing
        moments, carried = _core.moments_forward(*map(_array, tensors), *ctx.splines)
        return torch.from_numpy(moments), torch.from_numpy(carried)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:
        by_s, by_v, by_weight = _core.moments_backward(
            *map(_array, ctx.saved_tensors), *ctx.splines, *map(_array, gradients)
        )
        has_vectors = ctx.saved_tensors[4] is not None
        found = torch.from_numpy(by_s), torch.from_numpy(by_v) if has_vectors else None, torch.from_numpy(by_weight)
        return *found, None, None, None, None, None


def _array(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().contiguous().numpy()


def applies_to(s: Tensor, distances: Tensor, harmonics: Tensor) -> bool:
    """Whether the core can compute these sums: on a CPU, without gradients of the edges, tracing or torch.compile."""
    return (
        s.device.type == "cpu"
        and s.dtype in (torch.float32, torch.float64)
        and s.dtype == distances.dtype == harmonics.dtype
        and not (torch.is_grad_enabled() and (distances.requires_grad or harmonics.requires_grad))
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    )


def moment_sums(
    filters: CubicSplines, s: Tensor, v: Tensor | None, edge_index: Tensor, distances: Tensor, harmonics: Tensor
) -> tuple[Tensor, Tensor]:
    """The sums that `MomentLayer.sums` returns and describes; v is None where there are no vectors yet."""
    found: tuple[Tensor, Tensor] = MomentSums.apply(  # type: ignore[no-untyped-call]
        s, v, filters.weight, edge_index, distances, harmonics, filters.start, filters.inverse_spacing
    )
    return found
