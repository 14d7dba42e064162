"""The pair variant of OGN: a learned multi-stage integrator whose forces are antisymmetric pair terms.

One stride h consists of `layers` stages, as in an explicit Runge-Kutta-Nystrom method. Stage l passes once over all
pairs, at a learned time tau_l h, with the atoms displaced to the positions that the earlier stages predict:

    d      = r_ij + y_j - y_i,   y_i = tau_l h v_i + u_il
    a_ilc  = sum_j f_c(|d|) (1 + g_ic + g_jc) d / |d|                   forces; filters depend on the species
    rho_il = sum_j k(|d|)                                               densities, as in EAM
    s_i   += MLP(s_i, rho_il, rho_i(l-1)),   g_i = G s_i                gates of the next stage
    u_il'  = h (M / m_i) sum_{l < l', c} W_l'lc a_ilc                   displacements of the later stages

    m_i dv_i = M sum_lc B_lc a_ilc,   m_i (dr_i - h v_i) = h M sum_lc B'_lc a_ilc

At the start of training, times and weights are those of leapfrog with layers - 1 substeps, so that only the forces are
unknown; training then improves all of them. Stage 0 belongs to the start of the stride, and gives densities only.

Slow, smooth forces at long range are not needed at every stage. With `inner`, only the `far` stages take all pairs
within the cutoff; the others take the pairs within `inner`.

With `moments`, angles enter too (three-body forces, as in silicon). The vector and tensor densities

    A_i = sum_j k_A d/|d|,   T_i = sum_j k_T d d^T/|d|^2

of the stage before change the forces of a pair by

    f1 (A_i - A_j) + f2 (T_i + T_j) e + e [f3 e.(A_i - A_j) + f4 e.(T_i + T_j) e],   e = d / |d|

Every pair term is antisymmetric in i and j, so that sum m dv = 0 exactly. Only r_ij and v_ij enter, so that the model
is Galilean invariant and O(3)-equivariant. A filter is a cubic spline of one distance, which is cheap in any engine.
"""

# No postponed annotations here: TorchScript must see the real types.

from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch._jit_internal import is_scripting

from vitrify.graphs.graph import sum_over_centres
from vitrify.models.base import ModelConfig, System
from vitrify.models.nn import CubicSplines, SmoothCutoff
from vitrify.ogn.models import stage_gradient
from vitrify.ogn.models.base import OGN


class PairConfig(ModelConfig):
    """Hyperparameters of the pair variant; lengths in the unit of the system (A in metal units, sigma in lj).

    cutoff: of the graph (length). reach: filters end at `cutoff - reach` (length), so that pairs that come into range
    within one stride are in the graph. core: filters are constant below this distance (length). layers: number of
    stages; each costs one pass over the pairs. channels: number of forces of a pair in a stage. scalars: number of
    densities, and width of the many-body state. hidden: width of the MLP that updates this state. basis: number of
    splines over [core, cutoff - reach]. moments: 1 with vector and tensor densities, 0 without. inner: graph cutoff of
    all stages but the `far` ones (length); default: `cutoff`. far: numbers of the stages with the whole cutoff;
    default: the middle one. stress: 1 with the stress of a stride, which `vitrify stress` fits, 0 without.
    """

    variant: Literal["pair"] = "pair"
    cutoff: float = Field(2.5, gt=0)
    reach: float = Field(0.3, gt=0)
    core: float = Field(0.6, ge=0)
    layers: int = Field(5, ge=2)
    channels: int = Field(2, ge=1)
    scalars: int = Field(4, ge=1)
    hidden: int = Field(16, ge=1)
    basis: int = Field(32, ge=4)
    moments: int = Field(0, ge=0, le=1)
    inner: float | None = Field(None, gt=0)
    far: tuple[int, ...] | None = None
    stress: int = Field(0, ge=0, le=1, exclude_if=lambda value: value == 0)

    @property
    def cutoffs(self) -> tuple[float, ...]:
        """Graph cutoff of each stage."""
        far = (self.layers // 2,) if self.far is None else self.far
        near = self.cutoff if self.inner is None else self.inner
        return tuple(self.cutoff if stage in far else near for stage in range(self.layers))

    @model_validator(mode="after")
    def _ordered(self) -> "PairConfig":
        near = min(self.cutoffs)
        if not self.core < near - self.reach:
            raise ValueError(f"core {self.core} must be below cutoff - reach = {near - self.reach}")
        if max(self.cutoffs) > self.cutoff:
            raise ValueError(f"inner {self.inner} must not exceed the cutoff {self.cutoff}")
        if self.cutoff > max(self.cutoffs):
            raise ValueError("no stage is far: give stages from 0 to layers - 1, or leave out inner and far")
        return self


class Stage(nn.Module):
    """One pass over the pairs, and the update of the state of each atom; symbols as in the module's docstring."""

    def __init__(self, n_species: int, cutoff: float, config: PairConfig) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.channels, self.scalars, self.moments = config.channels, config.scalars, config.moments
        c, f, m = config.channels, config.scalars, config.moments
        n_filters = c + f + m * (2 + 4 * c)
        n_pairs = n_species * (n_species + 1) // 2
        self.filters = CubicSplines(n_pairs, n_filters, config.core, cutoff - config.reach, config.basis)
        self.envelope = SmoothCutoff(cutoff - config.reach, cutoff)
        self.update = nn.Sequential(nn.Linear(3 * f + 2 * m, config.hidden), nn.SiLU(), nn.Linear(config.hidden, f))
        self.gates = nn.Linear(f, c, bias=False)
        with torch.no_grad():
            self.gates.weight.zero_()

    def sums(self, x: Tensor, edge_index: Tensor, edge_vectors: Tensor, types: Tensor, n_owned: int) -> Tensor:
        """x (M, 3 + C + 9 moments) = [y, gates, A, T] -> float64 (n_owned, 3 C + F + 9 moments) = [a, rho, A, T].

        C: channels, F: scalars.
        """
        if not is_scripting():
            compiled = n_owned == len(x) and stage_gradient.applies_to(x)
            if compiled:
                return stage_gradient.stage_sums(self, x, edge_index, edge_vectors, types)
        start = edge_vectors.square().sum(1).sqrt()
        seen = torch.nonzero(start < self.cutoff).squeeze(1)
        edge_vectors, start = edge_vectors.index_select(0, seen), start.index_select(0, seen)
        i, j = edge_index[0].index_select(0, seen), edge_index[1].index_select(0, seen)
        c, f = self.channels, self.scalars
        xi, xj = x[i], x[j]
        d = edge_vectors + (xj[:, :3] - xi[:, :3])
        distances = (d * d).sum(1).clamp_min(1e-12).sqrt()
        e = d / distances.unsqueeze(1)
        values = self.filters(distances, pairs_of(types, i, j)) * self.envelope(start).unsqueeze(1)
        # The gates are added first, so that the terms of i-j and j-i are opposite to the last bit. Sums in double
        # precision keep this property, so that rounding errors do not add up to momentum over a long run.
        strength = values[:, :c] * (1.0 + (xi[:, 3 : 3 + c] + xj[:, 3 : 3 + c]))
        forces = strength.unsqueeze(2) * e.unsqueeze(1)
        terms = [values[:, c : c + f]]
        if self.moments > 0:
            vector = (xi[:, 3 + c : 6 + c] - xj[:, 3 + c : 6 + c]).unsqueeze(1)
            t = xi[:, 6 + c :] + xj[:, 6 + c :]
            # (xx, yy, zz, xy, xz, yz) -> rows
            tensor = t[:, [0, 3, 4, 3, 1, 5, 4, 5, 2]].view(-1, 3, 3)
            bent = (tensor * e.unsqueeze(1)).sum(2).unsqueeze(1)
            along = e.unsqueeze(1)
            angular = values[:, c + f + 2 :].view(-1, 4, c, 1)
            forces = forces + angular[:, 0] * vector + angular[:, 1] * bent
            radial = angular[:, 2] * (vector * along).sum(2, keepdim=True)
            radial = radial + angular[:, 3] * (bent * along).sum(2, keepdim=True)
            forces = forces + radial * along
            products = torch.cat([e * e, e[:, :1] * e[:, 1:], e[:, 1:2] * e[:, 2:]], dim=1)
            terms += [values[:, c + f : c + f + 1] * e, values[:, c + f + 1 : c + f + 2] * products]
        return sum_over_centres(torch.cat([forces.flatten(1), torch.cat(terms, dim=1)], dim=1).double(), i, n_owned)

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_vectors: Tensor, types: Tensor, n_owned: int, scalars: Tensor,
        before: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """The sums (n_owned, any), new scalars (n_owned, F) and gates (n_owned, C).

        before: densities (n_owned, F) of the previous stage. Other arguments as in `sums`.
        """
        sums = self.sums(x, edge_index, edge_vectors, types, n_owned)
        first, last = 3 * self.channels, 3 * self.channels + self.scalars
        features = [scalars, sums[:, first:last].to(x.dtype), before]
        if self.moments > 0:
            vector, tensor = sums[:, last : last + 3].to(x.dtype), sums[:, last + 3 :].to(x.dtype)
            squares = (tensor * tensor).sum(1) + (tensor[:, 3:] * tensor[:, 3:]).sum(1)
            features += [(vector * vector).sum(1, keepdim=True), squares.unsqueeze(1)]
        scalars = scalars + self.update(torch.cat(features, dim=1))
        return sums, scalars, self.gates(scalars)


class PairOGN(OGN):
    """The pair variant; the module's docstring has the equations.

    A node has the features [u (3), gates (C), A and T (9 moments)], which ranks exchange. The memory (float64, owned
    atoms) has the forces and moments of all stages (layers, 3 C + 9 moments), scalars (F) and the last densities (F).
    """

    def __init__(self, config: PairConfig, system: System) -> None:
        c, f, s = config.channels, config.scalars, config.layers
        width = 3 + c + 9 * config.moments
        super().__init__(system, config.cutoff, s, node_width=width, reverse_edges=False)
        self.config = config
        self.channels, self.scalars, self.moments = c, f, config.moments
        self.embedding = nn.Parameter(torch.randn(self.n_species, f))
        self.stages = nn.ModuleList([Stage(self.n_species, cutoff, config) for cutoff in config.cutoffs])
        times, weights, ends = leapfrog(s)
        first = torch.zeros(c)
        first[0] = 1.0  # at first, only this channel acts on the motion
        self.times = nn.Parameter(times)
        self.weights = nn.Parameter((weights.unsqueeze(2) * first).repeat(self.n_species, 1, 1, 1))
        self.ends = nn.Parameter(ends.unsqueeze(2) * first)  # (2, S, C): of dr and of dv
        # Weights of the moments of all earlier stages in the moments of a stage: at first, those of the previous one.
        self.recall = nn.Parameter(torch.eye(s))

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        return {**self.config.model_dump(mode="json"), "cutoffs": list(self.config.cutoffs)}

    @torch.jit.unused
    def scale_velocity_changes(self, factor: float) -> None:
        """Multiplies every predicted dv by `factor`; momentum is still conserved."""
        with torch.no_grad():
            self.ends[1] *= factor

    def start(
        self, types: Tensor, velocities: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        nodes = velocities.new_zeros([types.shape[0], self.node_width])
        history = self.layers * (3 * self.channels + 9 * self.moments)
        scalars = self.embedding[types].double()
        empty = scalars.new_zeros([types.shape[0], history])
        return nodes, torch.cat([empty, scalars, torch.zeros_like(scalars)], dim=1)

    def step_scale(self, types: Tensor) -> Tensor:
        """M / m_i (n, 1), float64, of atoms of `types` (n,); M is a typical product of mass and velocity change."""
        scale = (self.masses * self.dv_scale).double().mean()
        return (scale / self.masses[types].double()).unsqueeze(1)

    def layer(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor, velocities: Tensor, edge_index: Tensor,
        edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        c, f, s = self.channels, self.scalars, self.layers
        owned = types[:n_owned]
        memory = memory[:n_owned]
        x = torch.cat([nodes[:, :3] + (self.timestep * self.times[index]) * velocities, nodes[:, 3:]], dim=1)
        width = 3 * c + 9 * self.moments
        history = memory[:, : s * width].view(n_owned, s, width)
        scalars, before = memory[:, s * width : s * width + f], memory[:, s * width + f :]
        gates = torch.zeros_like(nodes[:n_owned, 3 : 3 + c])
        for number, stage in enumerate(self.stages):  # TorchScript cannot index a ModuleList with a variable
            if number == index:
                dtype = nodes.dtype
                sums, updated, gates = stage(
                    x, edge_index, edge_vectors, types, n_owned, scalars.to(dtype), before.to(dtype)
                )
                new = torch.cat([sums[:, : 3 * c], sums[:, 3 * c + f :]], dim=1)
                history = torch.cat([history[:, :index], new.unsqueeze(1), history[:, index + 1 :]], dim=1)
                scalars, before = updated.double(), sums[:, 3 * c : 3 * c + f]
        if index + 1 < s:
            forces = history[:, :, : 3 * c].reshape(n_owned, s * c, 3)
            weights = self.weights[owned, index + 1].flatten(1).unsqueeze(1).double()
            u = self.timestep * self.step_scale(owned) * torch.bmm(weights, forces).squeeze(1)
            seen = (self.recall[index].double().view(1, s, 1) * history[:, :, 3 * c :]).sum(1)
            nodes = torch.cat([u.to(nodes.dtype), gates, seen.to(nodes.dtype)], dim=1)
        else:
            nodes = nodes[:n_owned]
        return nodes, torch.cat([history.flatten(1), scalars, before], dim=1)

    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor, velocities: Tensor, edge_index: Tensor,
        edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        c, s, width = self.channels, self.layers, 3 * self.channels + 9 * self.moments
        forces = memory[:n_owned, : s * width].view(n_owned, s, width)[:, :, : 3 * c].reshape(n_owned, s * c, 3)
        # Equal weights for all species keep the sums of the pair terms antisymmetric.
        weights = self.ends.flatten(1).double().unsqueeze(0).expand(n_owned, -1, -1)
        changes = self.step_scale(types[:n_owned]).unsqueeze(2) * torch.bmm(weights, forces)
        dr = self.timestep * (velocities[:n_owned].double() + changes[:, 0])
        return dr, changes[:, 1]


def pairs_of(types: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Index of the unordered pair of species of each edge (E,)."""
    a, b = types[i], types[j]
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    return high * (high + 1) // 2 + low


def leapfrog(stages: int) -> tuple[Tensor, Tensor, Tensor]:
    """Leapfrog over one stride in stages - 1 substeps after a stage 0 that exerts no force.

    Returns times (S,); weights (S, S) of the forces in the displacements of later stages; ends (2, S), the weights of
    the forces in the changes of r and v over the whole stride. S: number of stages. Times in units of the stride.
    """
    n = stages - 1
    times = torch.cat([torch.zeros(1), (torch.arange(n) + 0.5) / n])
    kicks = torch.cat([torch.zeros(1), torch.full((n,), 1.0 / n)])
    weights = kicks * (times.unsqueeze(1) - times).clamp_min(0.0)
    return times, weights, torch.stack([kicks * (1.0 - times), kicks])
