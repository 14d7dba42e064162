"""Building blocks shared by the models: radial bases, cutoffs, MLPs and the online standardiser."""

# No postponed annotations here: TorchScript must see the real types.

import math

import torch
from torch import Tensor, nn


class SmoothCutoff(nn.Module):
    """1 below `onset`, 0 above `cutoff`, with two continuous derivatives in between (quintic smoothstep)."""

    def __init__(self, onset: float, cutoff: float) -> None:
        super().__init__()
        self.onset = onset
        self.inverse_width = 1.0 / (cutoff - onset)

    def forward(self, distances: Tensor) -> Tensor:
        """distances (...), in length units -> envelope (...)."""
        t = ((distances - self.onset) * self.inverse_width).clamp(0.0, 1.0)
        return 1.0 - t * t * t * (10.0 + t * (6.0 * t - 15.0))


class GaussianBasis(nn.Module):
    """Gaussians on an even grid over [start, stop], each as wide as the grid's spacing."""

    def __init__(self, start: float, stop: float, size: int) -> None:
        super().__init__()
        self.size = size
        self.spacing = (stop - start) / (size - 1)
        self.register_buffer("centres", torch.linspace(start, stop, size))

    def forward(self, distances: Tensor) -> Tensor:
        """distances (...) -> (..., size)."""
        scale = 0.5**0.5 / self.spacing
        t = (scale * distances).unsqueeze(-1) - scale * self.centres
        # Half in place: this is the largest array of a model, and fresh memory costs as much as arithmetic.
        gaussians: Tensor = (t * t).neg_().exp()
        return gaussians


def truncated_normal_(linear: nn.Linear) -> None:
    """Weights and bias from a truncated normal with standard deviation 1/sqrt(fan-in) (OGN paper, section 4.4 iv)."""
    std = 1.0 / math.sqrt(linear.in_features)
    nn.init.trunc_normal_(linear.weight, 0.0, std, -2.0 * std, 2.0 * std)
    nn.init.trunc_normal_(linear.bias, 0.0, std, -2.0 * std, 2.0 * std)


class OnlineStandardiser(nn.Module):
    """Standardises the last dimension by the mean and variance of every row seen in training so far.

    Running sums are kept in float64, so that millions of rows do not lose precision.
    """

    count: Tensor
    total: Tensor
    total_of_squares: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1, dtype=torch.float64))
        self.register_buffer("total", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("total_of_squares", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))

    @torch.jit.unused
    def observe(self, rows: Tensor) -> None:
        """Takes the rows (n, size) into the running mean and variance."""
        rows = rows.detach().double()
        self.count += len(rows)
        self.total += rows.sum(0)
        self.total_of_squares += (rows * rows).sum(0)
        mean = self.total / self.count
        variance = (self.total_of_squares / self.count - mean * mean).clamp_min(0.0)
        self.mean.copy_(mean)
        # A constant column (the one-hot type of a one-component glass) is centred, not divided by zero.
        self.std.copy_(torch.where(variance > 1e-12, variance.sqrt(), torch.ones_like(variance)))

    def forward(self, rows: Tensor) -> Tensor:
        """(n, size) -> standardised (n, size)."""
        return (rows - self.mean) / self.std

    def inverse(self, rows: Tensor) -> Tensor:
        """Standardised (n, size) -> physical (n, size)."""
        return rows * self.std + self.mean
