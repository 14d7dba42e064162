"""Invariant descriptors of an atom's neighbourhood: densities of its neighbours and their bond-order power spectra.

For atom i, species z, radial function n and degree l

    A_i,z,n,lm = sum over neighbours j of species z of B_n(r_ij) Y_lm(r_ij / |r_ij|)

with cubic B-splines B_n and real spherical harmonics in Racah's normalisation (sum over m of Y_lm^2 = 1). Sums over m
of products of two A with equal l are invariant to rotation and reflection. They describe lengths (l = 0) and angles
(l > 0), as Steinhardt's bond-order parameters do for one shell (Phys. Rev. B 28, 784 (1983)).
"""

# No postponed annotations here: TorchScript must see the real types.

import math

import torch
from pydantic import Field
from torch import Tensor

from vitrify.models.base import ModelConfig


class DescriptorConfig(ModelConfig):
    """Hyperparameters of models on coarse-grained descriptors; lengths in A (metal units) or sigma (lj).

    variant: name of the variant. cutoff: radius of the coarse-graining (length). inner: radius of the descriptors
    (length). core: start of the radial functions, below all distances of neighbours (length). basis, degree: number of
    radial functions and largest l of the descriptors. shells: number of radial functions of the coarse-graining.
    """

    variant: str
    cutoff: float = Field(8.0, gt=0)
    inner: float = Field(6.5, gt=0)
    core: float = Field(2.0, ge=0)
    basis: int = Field(6, ge=2)
    degree: int = Field(6, ge=0)
    shells: int = Field(5, ge=1)


def spherical_harmonics(directions: Tensor, degree: int) -> Tensor:
    """Y_lm of unit vectors (E, 3), l = 0 to degree: (E, (degree + 1)^2), ordered by l, then m = 0, 1, -1, 2, -2, ..."""
    x, y, z = directions.unbind(1)
    one = torch.ones_like(x)
    # Real and imaginary part of (x + iy)^m.
    cosines, sines = [one], [torch.zeros_like(x)]
    for m in range(1, degree + 1):
        cosines.append(x * cosines[m - 1] - y * sines[m - 1])
        sines.append(x * sines[m - 1] + y * cosines[m - 1])
    # Associated Legendre functions over sin^m, for each m from l = m upwards.
    legendre = [[one]]
    for ell in range(1, degree + 1):
        row = []
        for m in range(ell + 1):
            if m == ell:
                row.append((2 * m - 1) * legendre[ell - 1][m - 1])
            elif m == ell - 1:
                row.append((2 * m + 1) * z * legendre[ell - 1][m])
            else:
                higher = (2 * ell - 1) * z * legendre[ell - 1][m] - (ell + m - 1) * legendre[ell - 2][m]
                row.append(higher / (ell - m))
        legendre.append(row)
    columns = []
    for ell in range(degree + 1):
        columns.append(legendre[ell][0])
        square = 2.0  # 2 (l - m)! / (l + m)!
        for m in range(1, ell + 1):
            square = square / ((ell + m) * (ell - m + 1))
            scale = math.sqrt(square)
            columns.append(scale * legendre[ell][m] * cosines[m])
            columns.append(scale * legendre[ell][m] * sines[m])
    return torch.stack(columns, 1)


def spline_basis(r: Tensor, start: float, end: float, count: int) -> Tensor:
    """`count` cubic B-splines of distances r (E,) on even knots: (E, count).

    Spline n is centred at start + n step, with step = (end - start) / (count + 1), and extends two steps to either
    side. So all splines and two of their derivatives vanish at `end`.
    """
    step = (end - start) / (count + 1)
    centres = torch.arange(count, dtype=r.dtype, device=r.device)
    distance = ((r.unsqueeze(1) - start) / step - centres).abs()
    inner, outer = (1.0 - distance).clamp_min(0.0), (2.0 - distance).clamp_min(0.0)
    return outer * outer * outer / 6.0 - 2.0 / 3.0 * inner * inner * inner


def hats(r: Tensor, start: float, end: float, count: int) -> Tensor:
    """`count` piecewise linear functions of distances r (E,) on even knots, zero at `end`: (E, count).

    The first one stays 1 below the first knot. Up to the last knot before `end`, the functions add up to 1.
    """
    step = (end - start) / (count + 1)
    position = ((r.unsqueeze(1) - start) / step).clamp_min(1.0)
    centres = torch.arange(1, count + 1, dtype=r.dtype, device=r.device)
    return (1.0 - (position - centres).abs()).clamp_min(0.0)


def densities(
    neighbour_types: Tensor, centres: Tensor, edge_vectors: Tensor, n_atoms: int, n_species: int, degree: int,
    start: float, end: float, count: int,
) -> Tensor:  # fmt: skip
    """The densities A of the module's docstring: (n_atoms, n_species, count, (degree + 1)^2).

    neighbour_types, centres: (E,). edge_vectors: (E, 3). start, end: range of the splines, in the unit of length.
    """
    lengths = edge_vectors.square().sum(1).sqrt()
    harmonics = spherical_harmonics(edge_vectors / lengths.clamp_min(1e-12).unsqueeze(1), degree)
    radial = spline_basis(lengths, start, end, count)
    rows = centres * n_species + neighbour_types
    parts = []
    for k in range(harmonics.shape[1]):  # one at a time, since all together would take gigabytes for 10,000 atoms
        sums = radial.new_zeros([n_atoms * n_species, count])
        parts.append(sums.index_add(0, rows, radial * harmonics[:, k : k + 1]))
    return torch.stack(parts, 2).view(n_atoms, n_species, count, harmonics.shape[1])


def n_invariants(n_species: int, degree: int, count: int) -> int:
    """Number of columns of `invariants`."""
    pairs = n_species * (n_species - 1) // 2
    return 2 * n_species * count + degree * (n_species * count + pairs * count + n_species * (count - 1))


def invariants(density: Tensor, degree: int) -> Tensor:
    """Invariant descriptors (N, `n_invariants`) from densities (N, n_species, count, (degree + 1)^2).

    For l = 0 these are the densities and their square roots (an embedding energy is a concave function of a density).
    For l > 0 they are products of A with itself, with A of another species, and with A of the next radial function.
    """
    n_species = density.shape[1]
    first = density[:, :, :, 0].flatten(1)
    found = [first, first.clamp_min(0.0).sqrt()]
    for ell in range(1, degree + 1):
        a = density[:, :, :, ell * ell : (ell + 1) * (ell + 1)]
        found.append(a.square().sum(3).flatten(1))
        for s in range(n_species):
            for t in range(s):
                found.append((a[:, s] * a[:, t]).sum(2))
        found.append((a[:, :, 1:] * a[:, :, :-1]).sum(3).flatten(1))
    return torch.cat(found, 1)
