"""Building blocks shared by the models: radial splines, cutoffs, MLPs and the online standardiser."""

# No postponed annotations here: TorchScript must see the real types.

import math

import torch
from torch import Tensor, nn


class SmoothCutoff(nn.Module):
    """1 below `onset`, 0 above `cutoff`; a quintic smoothstep between them gives two continuous derivatives."""

    def __init__(self, onset: float, cutoff: float) -> None:
        super().__init__()
        self.onset = onset
        self.inverse_width = 1.0 / (cutoff - onset)

    def forward(self, distances: Tensor) -> Tensor:
        """distances (...), in the unit of length -> envelope (...)."""
        t = ((distances - self.onset) * self.inverse_width).clamp(0.0, 1.0)
        return 1.0 - t * t * t * (10.0 + t * (6.0 * t - 15.0))


class CubicSplines(nn.Module):
    """Uniform cubic B-splines: `channels` radial functions for each of `kinds` kinds of pairs.

    They are twice continuously differentiable, constant below `start`, and zero beyond `stop` (in the unit of length).
    weight: (kinds, size, channels).
    """

    def __init__(self, kinds: int, channels: int, start: float, stop: float, size: int) -> None:
        super().__init__()
        self.size, self.start = size, start
        self.inverse_spacing = size / (stop - start)
        # A smooth random start: distances without data keep it, and similar distances have similar values.
        modes = torch.cos(torch.arange(1, 5).view(1, 4, 1) * torch.linspace(0, 3.14159, size).view(1, 1, -1))
        weight = torch.einsum("kmc,imt->ktc", 0.1 * torch.randn(kinds, 4, channels), modes)
        self.weight = nn.Parameter(weight)

    def forward(self, distances: Tensor, kinds: Tensor) -> Tensor:
        """distances (E,) and the kind of each pair (E,) -> (E, channels)."""
        t = ((distances - self.start) * self.inverse_spacing).clamp(0.0, float(self.size))
        # NaN lies in no interval; it is computed in the first one, and stays NaN.
        first = t.detach().nan_to_num(0.0).floor().clamp_max(self.size - 1.0)
        t = t - first
        s = 1.0 - t
        cubic = [s * s * s, 4.0 + t * t * (3.0 * t - 6.0), 4.0 + s * s * (3.0 * s - 6.0), t * t * t]
        # Three zeros at the end bring value, slope and curvature to zero at `stop`.
        table = nn.functional.pad(self.weight, [0, 0, 0, 3]).flatten(0, 1) / 6.0
        rows = kinds * (self.size + 3) + first.long()
        values = cubic[0].unsqueeze(1) * table.index_select(0, rows)
        for k in range(1, 4):
            values = values + cubic[k].unsqueeze(1) * table.index_select(0, rows + k)
        return values


def truncated_normal_(linear: nn.Linear) -> None:
    """Weights and bias from a truncated normal with standard deviation 1/sqrt(fan-in) (OGN paper, section 4.4 iv)."""
    std = 1.0 / math.sqrt(linear.in_features)
    nn.init.trunc_normal_(linear.weight, 0.0, std, -2.0 * std, 2.0 * std)
    nn.init.trunc_normal_(linear.bias, 0.0, std, -2.0 * std, 2.0 * std)


class OnlineStandardiser(nn.Module):
    """Standardises rows by the mean and variance of all rows of the training so far (OGN paper, section 4.4 ii).

    Running sums are in float64, so that millions of rows do not lose precision.
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
        """Adds the rows (n, size) to the running mean and variance."""
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
        """Standardised rows (n, size) -> rows (n, size) in their units."""
        return rows * self.std + self.mean
