"""The pair variant of OGN: antisymmetric pair terms seen where the atoms will be.

The velocity change over a stride h is an integral of forces along paths that the forces bend. Every layer
therefore looks at each pair at a few learned times within the stride, with the atoms displaced to where the
previous layer expects them: Picard iteration with learned forces, learned quadrature and many-body gates.

    d_q   = r_ij + tau_q h v_ij + u_jq - u_iq                 pair vector at time tau_q h; u = 0 at first
    a_iqc = sum_j f_c(|d_q|) (1 + g_ic + g_jc) d_q / |d_q|    filters f depend on the pair of species
    u_iq  = sum_q'c W_qq'c a_iq'c                             new deviations from ballistic motion
    s_i  += MLP(s_i, sum_j k_c(|d_q|))                        scalars (local density, as in EAM); set the gates g

After the last layer m_i dv_i = sum_j sum_q w_q f_v(|d_q|) (1 + g_i + g_j) d_q / |d_q|, likewise for dr - h v.
Each term is antisymmetric in i and j, so that sum m dv = 0 exactly; only r_ij and v_ij enter, which makes the
model Galilean invariant and O(3)-equivariant. A filter is a function of one distance: a host can tabulate it.
"""

# No postponed annotations here: TorchScript must see the real types.

from typing import Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from vitrify.graph import sum_over_centres
from vitrify.models.base import ModelConfig, System
from vitrify.models.ogn import OGN
from vitrify.nn import GaussianBasis, SmoothCutoff


class PairConfig(ModelConfig):
    """Hyperparameters; lengths in the units of the system.

    cutoff: graph cutoff. reach: filters end at `cutoff - reach`, so that pairs that come into range within one
    stride are in the graph. core: distance below which filters do not resolve anything. points: times within the
    stride. channels: vector filters of each layer. scalars: width of the many-body state, hidden: of its MLP.
    basis: Gaussians over [core, cutoff - reach].
    """

    variant: Literal["pair"] = "pair"
    cutoff: float = Field(2.5, gt=0)
    reach: float = Field(0.3, gt=0)
    core: float = Field(0.6, ge=0)
    layers: int = Field(2, ge=1)
    points: int = Field(3, ge=1)
    channels: int = Field(2, ge=1)
    scalars: int = Field(8, ge=1)
    hidden: int = Field(32, ge=1)
    basis: int = Field(24, ge=4)

    @model_validator(mode="after")
    def _ordered(self) -> "PairConfig":
        if not self.core < self.cutoff - self.reach:
            raise ValueError(f"core {self.core} must be below cutoff - reach = {self.cutoff - self.reach}")
        return self


class Filters(nn.Module):
    """Radial functions f_c(distance) for each unordered pair of species, zero beyond the cutoff."""

    def __init__(self, n_species: int, channels: int, config: PairConfig) -> None:
        super().__init__()
        self.channels = channels
        self.n_pairs = n_species * (n_species + 1) // 2
        end = config.cutoff - config.reach
        self.basis = GaussianBasis(config.core, end, config.basis)
        self.cutoff = SmoothCutoff(0.7 * end, end)
        self.weight = nn.Parameter(0.1 * torch.randn(config.basis, self.n_pairs * channels))

    def forward(self, distances: Tensor, pairs: Tensor) -> Tensor:
        """distances (E, Q) and the index of each edge's pair of species (E,) -> (E, Q, channels)."""
        values: Tensor = self.basis(distances) @ self.weight
        e, q = distances.shape[0], distances.shape[1]
        # Every pair's filters are computed and one is taken: faster than a product for each pair of species.
        rows = torch.arange(e * q, device=pairs.device) * self.n_pairs + pairs.repeat_interleave(q)
        values = values.view(-1, self.channels).index_select(0, rows).view(e, q, self.channels)
        envelope: Tensor = self.cutoff(distances)
        return values * envelope.unsqueeze(-1)


class PairLayer(nn.Module):
    """One Picard iteration: new displacements at the time points, and new scalars."""

    def __init__(self, n_species: int, config: PairConfig) -> None:
        super().__init__()
        q, c, f = config.points, config.channels, config.scalars
        self.channels = c
        self.filters = Filters(n_species, c + f, config)
        self.gates = nn.Linear(f, c, bias=False)
        self.mix = nn.Parameter(torch.randn(n_species, q, q * c) / (q * c) ** 0.5)
        self.update = nn.Sequential(
            nn.Linear(f + q * f, config.hidden), nn.SiLU(), nn.Linear(config.hidden, f)
        )
        with torch.no_grad():
            self.gates.weight.zero_()

    def forward(
        self,
        scalars: Tensor,
        d: Tensor,
        distances: Tensor,
        envelope: Tensor,
        pairs: Tensor,
        edge_index: Tensor,
        types: Tensor,
        n_owned: int,
    ) -> tuple[Tensor, Tensor]:
        """One iteration: u over the length scale (n_owned, Q, 3) and new scalars (n_owned, F).

        scalars (M, F), d (E, Q, 3), distances (E, Q), envelope (E, 1, 1), pairs (E,).
        """
        i, j = edge_index[0], edge_index[1]
        values = self.filters(distances, pairs) * envelope
        gates = self.gates(scalars)
        forces = values[:, :, : self.channels] * (1.0 + gates[i] + gates[j]).unsqueeze(1)
        directions = d / distances.unsqueeze(-1)
        q = d.shape[1]
        sums = sum_over_centres((forces.unsqueeze(-1) * directions.unsqueeze(2)).flatten(1), i, n_owned)
        density = sum_over_centres(values[:, :, self.channels :].flatten(1), i, n_owned)
        u = torch.bmm(self.mix[types[:n_owned]], sums.view(n_owned, q * self.channels, 3))
        owned = scalars[:n_owned]
        return u, owned + self.update(torch.cat([owned, density], dim=1))


class PairOGN(OGN):
    """See the module's docstring. Node state: [u (3 * points), scalars]; edge state: relative velocities."""

    def __init__(self, config: PairConfig, system: System) -> None:
        q, f = config.points, config.scalars
        super().__init__(system, config.cutoff, config.layers, node_width=3 * q + f, reverse_edges=False)
        self.points, self.scalars = q, f
        # Gauss-Legendre nodes, which make the first guess of the quadrature exact to order 2q.
        self.times = nn.Parameter(
            torch.tensor(0.5 * (np.polynomial.legendre.leggauss(q)[0] + 1.0), dtype=torch.float32)
        )
        self.envelope = SmoothCutoff(config.cutoff - config.reach, config.cutoff)
        self.embedding = nn.Parameter(torch.randn(self.n_species, f))
        self.blocks = nn.ModuleList([PairLayer(self.n_species, config) for _ in range(config.layers)])
        self.filters = Filters(self.n_species, 2, config)
        self.weights = nn.Parameter(torch.ones(q, 2) / q)
        self.gates = nn.Linear(f, 2, bias=False)
        with torch.no_grad():
            self.gates.weight.zero_()

    @torch.jit.unused
    def scale_velocity_changes(self, factor: float) -> None:
        """Multiplies every predicted dv by `factor`; a common one leaves momentum alone."""
        with torch.no_grad():
            self.weights[:, 1] *= factor

    def start(
        self, types: Tensor, velocities: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        u = velocities.new_zeros([types.shape[0], 3 * self.points])
        return torch.cat([u, self.embedding[types]], dim=1), velocities[edge_index[1]] - velocities[
            edge_index[0]
        ]

    def displaced(
        self, nodes: Tensor, edges: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pair vectors at the time points (E, Q, 3) and their lengths (E, Q)."""
        u = nodes[:, : 3 * self.points].view(-1, self.points, 3)
        times = (self.timestep * self.times).view(1, -1, 1)
        d = edge_vectors.unsqueeze(1) + times * edges.unsqueeze(1) + (u[edge_index[1]] - u[edge_index[0]])
        return d, (d * d).sum(-1).clamp_min(1e-12).sqrt()

    def pairs(self, types: Tensor, edge_index: Tensor) -> Tensor:
        """Index of the unordered pair of species of each edge (E,)."""
        a, b = types[edge_index[0]], types[edge_index[1]]
        low, high = torch.minimum(a, b), torch.maximum(a, b)
        return high * (high + 1) // 2 + low

    def layer(
        self,
        index: int,
        nodes: Tensor,
        edges: Tensor,
        types: Tensor,
        velocities: Tensor,
        edge_index: Tensor,
        edge_vectors: Tensor,
        n_owned: int,
    ) -> tuple[Tensor, Tensor]:
        d, distances = self.displaced(nodes, edges, edge_index, edge_vectors)
        envelope = self.envelope(edge_vectors.square().sum(1).sqrt()).view(-1, 1, 1)
        pairs = self.pairs(types, edge_index)
        scalars = nodes[:, 3 * self.points :]
        u, new_scalars = nodes[:n_owned, : 3 * self.points], scalars[:n_owned]
        for number, block in enumerate(self.blocks):  # TorchScript cannot index a ModuleList with a variable
            if number == index:
                moved, new_scalars = block(scalars, d, distances, envelope, pairs, edge_index, types, n_owned)
                u = (moved * self.dr_scale[types[:n_owned]].view(-1, 1, 1)).flatten(1)
        return torch.cat([u, new_scalars], dim=1), edges

    def finish(
        self,
        nodes: Tensor,
        edges: Tensor,
        types: Tensor,
        velocities: Tensor,
        edge_index: Tensor,
        edge_vectors: Tensor,
        n_owned: int,
    ) -> tuple[Tensor, Tensor]:
        i, j = edge_index[0], edge_index[1]
        d, distances = self.displaced(nodes, edges, edge_index, edge_vectors)
        envelope = self.envelope(edge_vectors.square().sum(1).sqrt()).view(-1, 1, 1)
        gates = self.gates(nodes[:, 3 * self.points :])
        values = self.filters(distances, self.pairs(types, edge_index)) * envelope
        # The gates are added first, so that the terms of i-j and j-i are opposite to the last bit; sums in double keep
        # them so, and rounding does not add up to momentum over a long run.
        values = values * self.weights * (1.0 + (gates[i] + gates[j])).unsqueeze(1)
        pair = torch.bmm(values.transpose(1, 2), d / distances.unsqueeze(-1))  # (E, 2, 3)
        sums = sum_over_centres(pair.flatten(1).double(), i, n_owned)
        # One scale for all species keeps the pair terms antisymmetric.
        inverse_mass = (1.0 / self.masses[types[:n_owned]].double()).unsqueeze(1)
        dr = (
            self.timestep * velocities[:n_owned]
            + inverse_mass * (self.masses * self.dr_scale).mean() * sums[:, :3]
        )
        dv = inverse_mass * (self.masses * self.dv_scale).mean() * sums[:, 3:]
        return dr, dv
