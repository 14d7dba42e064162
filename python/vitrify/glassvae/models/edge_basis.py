"""Sums over neighbours of fixed functions of their distance and direction, without weights.

    A(i, b, k, m) = sum over neighbours j of species b of B_k(r_ij) Y_m(r_ij / |r_ij|)

with cubic B-splines B_k and harmonics Y_m up to rank two. Moments with learned radial functions are linear in A, so
that the weights act atom by atom. An edge contributes 4 x 9 numbers, however wide the network is. A network that learns
from forces needs only the derivative of A with respect to the edge vectors, which holds no weight: `vector_gradient`.
"""

# No postponed annotations here: TorchScript must see the real types.

import math

import torch
from torch import Tensor, nn

from vitrify.amshortcut.models.flow import harmonics


class EdgeBasis(nn.Module):
    """The sums for `kinds` species of neighbours, with `size` splines between the distances `start` and `stop`.

    They are twice continuously differentiable; the radial part is constant below `start`, and zero beyond `stop`.
    """

    def __init__(self, kinds: int, size: int, start: float, stop: float) -> None:
        super().__init__()
        self.kinds, self.size = kinds, size
        self.start, self.inverse_spacing = start, size / (stop - start)

    def forward(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int) -> Tensor:
        """types (M,), edge_index (2, E), edge_vectors (E, 3) -> A (n_owned, kinds, size, 9)."""
        distances, directions = harmonics(edge_vectors)
        t, first = self._place(distances)
        rows = self._rows(types, edge_index, first)
        values = self._splines(t).unsqueeze(2) * directions.unsqueeze(1)
        sums = values.new_zeros([n_owned * self.kinds * (self.size + 3), 9])
        sums = sums.index_add(0, rows.flatten(), values.flatten(0, 1))
        return sums.view(n_owned, self.kinds, self.size + 3, 9)[:, :, : self.size]

    @torch.jit.unused
    def vector_gradient(self, gradient: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> Tensor:
        """The gradient (E, 3) of a scalar with respect to the edge vectors, from that with respect to A.

        gradient: (n_owned, kinds, size, 9). The result can be differentiated with respect to `gradient` only.
        """
        with torch.no_grad():
            distances, directions = harmonics(edge_vectors)
            t, first = self._place(distances)
            rows = self._rows(types, edge_index, first)
            splines, slopes = self._splines(t), self._slopes(t, distances)
            inverse = 1.0 / distances.clamp_min(1e-6)
            units = edge_vectors * inverse.unsqueeze(1)
            turning = _harmonic_gradients(units) * inverse.view(-1, 1, 1)
        table = nn.functional.pad(gradient, [0, 0, 0, 3]).reshape(-1, 9)
        along = around = torch.zeros_like(directions)
        for k in range(4):
            picked = table.index_select(0, rows[:, k])
            along = along + slopes[:, k : k + 1] * picked
            around = around + splines[:, k : k + 1] * picked
        radial = (along * directions).sum(1, keepdim=True) * units
        return radial + (around.unsqueeze(2) * turning).sum(1)

    def _place(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """The position within its interval of knots (E,), from 0 to 1, and the number of the interval (E,)."""
        t = ((distances - self.start) * self.inverse_spacing).clamp(0.0, float(self.size))
        # NaN lies in no interval; it is computed in the first one, and stays NaN.
        first = t.detach().nan_to_num(0.0).floor().clamp_max(self.size - 1.0)
        return t - first, first.long()

    def _rows(self, types: Tensor, edge_index: Tensor, first: Tensor) -> Tensor:
        """Rows of A (E, 4) of the four splines that are not zero at an edge; `forward` drops the last three splines."""
        rows = (edge_index[0] * self.kinds + types[edge_index[1]]) * (self.size + 3) + first
        return rows.unsqueeze(1) + torch.arange(4, device=rows.device)

    def _splines(self, t: Tensor) -> Tensor:
        """Values of the four splines: positions in the interval (E,) -> (E, 4)."""
        s = 1.0 - t
        parts = [s * s * s, 4.0 + t * t * (3.0 * t - 6.0), 4.0 + s * s * (3.0 * s - 6.0), t * t * t]
        return torch.stack(parts, dim=1) / 6.0

    @torch.jit.unused
    def _slopes(self, t: Tensor, distances: Tensor) -> Tensor:
        """Derivatives of the splines with respect to the distance: (E,) -> (E, 4); zero below `start`."""
        s = 1.0 - t
        parts = [-s * s, t * (3.0 * t - 4.0), -s * (3.0 * s - 4.0), t * t]
        inside = (distances > self.start).to(t.dtype).unsqueeze(1)
        return torch.stack(parts, dim=1) * (0.5 * self.inverse_spacing) * inside


def _harmonic_gradients(units: Tensor) -> Tensor:
    """Gradients (E, 9, 3) of the `harmonics` with respect to unit vectors (E, 3), perpendicular to them."""
    x, y, z = units.unbind(1)
    o = torch.zeros_like(x)
    third = 6.0 / math.sqrt(12.0)
    # Gradients of homogeneous polynomials of degree 0, 1 or 2; the component along the direction is removed below.
    free = torch.stack(
        [
            torch.stack([o, o, o], 1),
            torch.stack([o + 1.0, o, o], 1),
            torch.stack([o, o + 1.0, o], 1),
            torch.stack([o, o, o + 1.0], 1),
            torch.stack([y, x, o], 1),
            torch.stack([o, z, y], 1),
            torch.stack([o, o, third * z], 1),
            torch.stack([z, o, x], 1),
            torch.stack([x, -y, o], 1),
        ],
        dim=1,
    )
    along = (free * units.unsqueeze(1)).sum(2, keepdim=True)
    return free - along * units.unsqueeze(1)
