"""Random and fixed orthogonal transformations for the symmetrisation of the paper (sections 4.1 and 4.2)."""

# No postponed annotations here: TorchScript must see the real types.

import itertools
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor
from torch.autograd.function import once_differentiable

_Array = NDArray[np.float64]


def euler_matrices(angles: Tensor) -> Tensor:
    """Rotations O_x1(alpha) O_x2(beta) O_x3(gamma) (n, 3, 3) of the angles (n, 3); theorem 3.3."""
    sines, cosines = angles.sin(), angles.cos()
    product = torch.eye(3, dtype=angles.dtype, device=angles.device).expand(len(angles), 3, 3)
    for axis in range(3):
        s, c = sines[:, axis], cosines[:, axis]
        zero, one = torch.zeros_like(s), torch.ones_like(s)
        if axis == 0:
            rows = [one, zero, zero, zero, c, -s, zero, s, c]
        elif axis == 1:
            rows = [c, zero, s, zero, one, zero, -s, zero, c]
        else:
            rows = [c, -s, zero, s, c, zero, zero, zero, one]
        product = product @ torch.stack(rows, dim=1).view(-1, 3, 3)
    return product


def quaternion_matrices(quaternions: Tensor) -> Tensor:
    """Rotations (n, 3, 3) of quaternions (n, 4) = (w, x, y, z) of any length but zero."""
    w, x, y, z = (quaternions / quaternions.norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def random_signs(n: int) -> Tensor:
    """n random signs +1 or -1 (n,), float64: (-1)^lambda, lambda ~ Bern(1/2)."""
    return 1.0 - 2.0 * torch.randint(0, 2, (n,)).double()


def haar_matrices(n: int) -> Tensor:
    """n draws (n, 3, 3), float64, from the uniform distribution on O(3), by Gaussian quaternions and random signs.

    Uniform Euler angles, as in theorem 4.3 of the paper, would not be uniform on the group.
    """
    return quaternion_matrices(torch.randn(n, 4, dtype=torch.float64)) * random_signs(n).view(-1, 1, 1)


def icosahedral_group() -> Tensor:
    """The 120 rotations and rotoinversions of the icosahedron (120, 3, 3), float64, the rotations first.

    For polynomials of a direction, averages over the group equal averages over O(3) for all odd degrees and for the
    degrees 2, 4, 8 and 14. Degree 6 is the first for which they differ.
    """
    golden = (1.0 + math.sqrt(5.0)) / 2.0
    fivefold = np.array([0.0, 1.0, golden]) / math.hypot(1.0, golden) * math.sin(math.pi / 5)
    generators = quaternion_matrices(
        torch.tensor([[math.cos(math.pi / 5), *fivefold], [1.0, 1.0, 1.0, 1.0]], dtype=torch.float64)
    )
    found = [torch.eye(3, dtype=torch.float64)]
    for element in found:  # grows until products with the generators give nothing new
        for generator in generators:
            product = generator @ element
            if not any(torch.allclose(product, other, atol=1e-6) for other in found):
                found.append(product)
    rotations = torch.stack(found)
    return torch.cat([rotations, -rotations])


def fixed_matrices() -> Tensor:
    """Three fixed transformations (3, 3, 3), float64, with all Euler angles 0, 2 pi/3, 4 pi/3; the last is inverted."""
    angles = torch.arange(3, dtype=torch.float64).view(3, 1).expand(3, 3) * (2.0 * math.pi / 3.0)
    return euler_matrices(angles) * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64).view(-1, 1, 1)


def von_mises_harmonics(kappa: _Array) -> tuple[_Array, _Array]:
    """r_n = I_n(kappa) / I_0(kappa) for n = 1, 2, ... and dr_n/dkappa: (terms, ...) each, for kappa (...).

    The density is (1 + 2 sum_n r_n cos n x) / 2 pi. r_n falls as exp(-n^2 / 2 kappa), which sets the number of terms.
    """
    terms = int(16 + 10 * math.sqrt(float(kappa.max())))
    orders = np.arange(terms + 2).reshape(-1, *[1] * kappa.ndim)
    # ive scales all orders by one factor, so that their ratio stays finite.
    ratios = special.ive(orders, kappa) / special.ive(0, kappa)
    slopes = 0.5 * (ratios[:-2] + ratios[2:]) - ratios[1:-1] * ratios[1]
    return ratios[1:-1], slopes


def von_mises_cdf(x: _Array, harmonics: _Array) -> _Array:
    """F(x) = 1/2 + x / 2 pi + sum_n r_n sin(n x) / (pi n), for x in [-pi, pi] from the mean; an array shaped as x."""
    n = np.arange(1, len(harmonics) + 1).reshape(-1, *[1] * x.ndim)
    series: _Array = (harmonics * np.sin(n * x) / n).sum(0) / np.pi
    return 0.5 + x / (2 * np.pi) + series


class VonMisesQuantile(torch.autograd.Function):
    """(u in (0, 1), kappa), of one shape -> x in [-pi, pi] with F(x; kappa) = u, by bisection in double precision.

    For uniform u, x is distributed as a von Mises angle about zero, and depends smoothly on kappa. The gradient is that
    of the implicit function: dx/dkappa = -(dF/dkappa) / p, dx/du = 1 / p.
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, kappa: Tensor) -> Tensor:
        wanted, k = (t.detach().cpu().double().numpy() for t in (u, kappa))
        harmonics, slopes = von_mises_harmonics(k)
        low, high = np.full(wanted.shape, -np.pi), np.full(wanted.shape, np.pi)
        for _ in range(52):
            middle = 0.5 * (low + high)
            below = von_mises_cdf(middle, harmonics) < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        x = 0.5 * (low + high)
        # exp(kappa (cos x - 1)) is positive where the series of the density would round to zero.
        density = np.exp(k * (np.cos(x) - 1.0)) / (2 * np.pi * special.ive(0, k))
        n = np.arange(1, len(slopes) + 1).reshape(-1, *[1] * x.ndim)
        by_kappa = -(slopes * np.sin(n * x) / n).sum(0) / np.pi / density
        ctx.save_for_backward(torch.from_numpy(by_kappa).to(kappa), torch.from_numpy(1.0 / density).to(u))
        return torch.from_numpy(x).to(u)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:
        by_kappa, by_u = ctx.saved_tensors
        return gradients[0] * by_u, gradients[0] * by_kappa


def von_mises_angles(u: Tensor, mean: Tensor, kappa: Tensor) -> Tensor:
    """The angles with cumulative probabilities u in the von Mises distributions (mean, kappa); all of one shape."""
    quantiles: Tensor = VonMisesQuantile.apply(u, kappa)  # type: ignore[no-untyped-call]
    return mean + quantiles


def von_mises_sample(n: int, mean: Tensor, kappa: Tensor) -> Tensor:
    """n draws (n, 3, 3) of (-1)^lambda R(alpha, beta, gamma), lambda ~ Bern(1/2), differentiable by mean and kappa.

    mean, kappa: (2, 3), of the angles of rotations and of rotoinversions (section A.9 of the paper).
    """
    signs = random_signs(n).to(mean)
    which = (signs < 0).long()
    u = torch.rand(n, 3, dtype=torch.float64).to(mean).clamp(1e-6, 1.0 - 1e-6)
    return euler_matrices(von_mises_angles(u, mean[which], kappa[which])) * signs.view(-1, 1, 1)


def von_mises_nodes(mean: Tensor, kappa: Tensor, n: int) -> Tensor:
    """The deterministic counterpart of `von_mises_sample`: transformations (2 n^3, 3, 3), float64, of equal weight.

    Each angle takes the n quantiles (i + 1/2) / n; all combinations occur with lambda = 0 and 1.
    """
    mean, kappa = mean.detach().double(), kappa.detach().double()
    grid = torch.tensor(list(itertools.product(range(n), repeat=3)), dtype=torch.float64)
    u = ((grid + 0.5) / n).to(mean.device)
    parts = [
        sign * euler_matrices(von_mises_angles(u, mean[row].expand_as(u), kappa[row].expand_as(u)))
        for row, sign in enumerate((1.0, -1.0))
    ]
    return torch.cat(parts)
