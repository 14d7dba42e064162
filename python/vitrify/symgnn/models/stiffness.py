"""Descriptors of how stiffly an atom is bound, from the pair functions of a potential.

With an effective pair potential psi of each pair of species, the stiffness of atom i is

    K_i = sum_j k_ij,  k_ij = psi''(r) u u^T + psi'(r) / r (1 - u u^T),  u = (r_j - r_i) / r

if its neighbours are fixed. If they may relax, the stiffness to the first order is

    S_i = K_i - sum_j k_ij S_j^-1 k_ij

with K_j for S_j on the right-hand side. Inserting the result for S_j gives the second order, in which the neighbours'
neighbours relax too (the continued fraction of a Green's function: R. Haydock, V. Heine, M. J. Kelly, J. Phys. C 5,
2845 (1972)). Barriers are low where the stiffness is small. The descriptors are the eigenvalues of these tensors, of
the virial and of the two parts of K, and the energy. A tensor is stored as six columns: xx, yy, zz, xy, xz, yz.

A table holds psi, psi'/r and psi'' at KNOTS distances, in units of the mean stiffness; see `vitrify.data.potentials`.
"""

# No postponed annotations here: TorchScript must see the real types.

import torch
from torch import Tensor

KNOTS = 1024
HOPS = 2
N_STIFFNESS = 10 + 6 * (HOPS + 1)
# The scale, in units of the mean stiffness, below which the inverse of a stiffness no longer grows.
SOFTEST = 0.15
# Lower limits of the eigenvalues as descriptors, and of their logarithms.
LOWEST = -1.0
LOWEST_OF_LOG = 0.05


def pair_functions(
    table: Tensor, types: Tensor, edge_index: Tensor, lengths: Tensor, start: float, end: float
) -> Tensor:
    """psi, psi'/r and psi'' (E, 3) of pairs with `lengths` (E,), interpolated linearly in the table (P, KNOTS, 3).

    start, end: distances of the first and the last knot.
    """
    here, there = types[edge_index[0]], types[edge_index[1]]
    larger = torch.maximum(here, there)
    pair = larger * (larger + 1) // 2 + torch.minimum(here, there)
    knots = table.shape[1]
    place = ((lengths - start) * ((knots - 1) / (end - start))).clamp(0.0, knots - 1.0)
    first = place.floor().clamp(0.0, knots - 2.0)
    part = (place - first).unsqueeze(1)
    rows = pair * knots + first.long()
    flat = table.flatten(0, 1)
    return flat[rows] * (1.0 - part) + flat[rows + 1] * part


def products(a: Tensor, b: Tensor) -> Tensor:
    """The symmetric part (E, 6) of a b^T, for vectors a and b (E, 3)."""
    mixed = 0.5 * (a[:, [0, 0, 1]] * b[:, [1, 2, 2]] + a[:, [1, 2, 2]] * b[:, [0, 0, 1]])
    return torch.cat([a * b, mixed], 1)


def unit_tensors(like: Tensor) -> Tensor:
    """The unit tensor (1, 6), with the precision and device of `like`."""
    return torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]], dtype=like.dtype, device=like.device)


def bond_terms(functions: Tensor, lengths: Tensor, directions: Tensor) -> Tensor:
    """The contribution (E, 19) of each edge to its centre: energy, virial, longitudinal and transversal stiffness.

    functions: (E, 3), from `pair_functions`. lengths: (E,). directions: (E, 3), unit vectors.
    """
    along = products(directions, directions)
    energy, slope, curvature = functions[:, 0:1], functions[:, 1:2], functions[:, 2:3]
    virial = 0.5 * slope * lengths.square().unsqueeze(1) * along
    return torch.cat([0.5 * energy, virial, curvature * along, slope * (unit_tensors(along) - along)], 1)


def compliance_terms(functions: Tensor, directions: Tensor, softness: Tensor) -> Tensor:
    """The reduction k_ij M_j k_ij (E, 6) of the stiffness by a relaxing neighbour with the `softness` M_j (E, 6).

    functions: (E, 3), from `pair_functions`. directions: (E, 3), unit vectors.
    """
    transversal = functions[:, 1:2]
    difference = functions[:, 2:3] - transversal
    moved = (matrices(softness) @ directions.unsqueeze(2)).squeeze(2)
    along = (directions * moved).sum(1, keepdim=True)
    found = transversal * transversal * softness
    found = found + 2.0 * transversal * difference * products(directions, moved)
    return found + difference * difference * along * products(directions, directions)


def matrices(six: Tensor) -> Tensor:
    """Tensors (n, 6) as matrices (n, 3, 3)."""
    return six[:, [0, 3, 4, 3, 1, 5, 4, 5, 2]].view(-1, 3, 3)


def softness(stiffness: Tensor, softest: float = SOFTEST) -> Tensor:
    """S (S^2 + SOFTEST^2)^-1 of tensors S (n, 6): nearly the inverse of large stiffnesses, finite for small ones."""
    s = matrices(stiffness.double())
    squares = s @ s + softest * softest * torch.eye(3, dtype=s.dtype, device=s.device)
    inverse = s @ torch.linalg.inv(squares)
    columns = inverse.flatten(1)
    found: Tensor = 0.5 * (columns[:, [0, 4, 8, 1, 2, 5]] + columns[:, [0, 4, 8, 3, 6, 7]])
    return found.to(stiffness.dtype)


def eigenvalues(six: Tensor) -> Tensor:
    """Eigenvalues (n, 3) of tensors (n, 6), in rising order."""
    values: Tensor = torch.linalg.eigvalsh(matrices(six.double()))
    return values.to(six.dtype)


def stiffness_descriptors(stiffness: Tensor, lowest: float = LOWEST, lowest_of_log: float = LOWEST_OF_LOG) -> Tensor:
    """Eigenvalues of tensors (n, 6) and their logarithms, each with its lower limit: (n, 6)."""
    values = eigenvalues(stiffness)
    return torch.cat([values.clamp(min=lowest), values.clamp(min=lowest_of_log).log()], 1)


def bond_descriptors(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Descriptors (n, 16) and stiffness (n, 6) of atoms, from the sums (n, 19) of `bond_terms`."""
    longitudinal, transversal = sums[:, 7:13], sums[:, 13:19]
    stiffness = longitudinal + transversal
    parts = [eigenvalues(sums[:, 1:7]), eigenvalues(longitudinal), eigenvalues(transversal)]
    return torch.cat([sums[:, :1], torch.cat(parts, 1), stiffness_descriptors(stiffness)], 1), stiffness
