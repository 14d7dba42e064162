"""A bagged low-rank regression on bond-order spectra, `variant: exact`; SymGNN is the kind, not the model.

1. Every atom gets invariant descriptors of its neighbourhood within `inner` (`vitrify.symgnn.models.descriptors`).
2. A few linear combinations h of the descriptors, `fields` for each member of the ensemble, are the contributions of
   an atom to its neighbours.
3. These fields are summed over the neighbours in shells of distance up to `cutoff`, because the property of an atom is
   an average over a region (the mean of many events around it). So the range of the model is inner + cutoff.
4. A linear readout of an atom's own fields and of the sums, corrected by a small network, gives the property.

With `stiffness`, the descriptors of step 1 are joined by others that describe how stiffly a potential binds each atom
(`vitrify.symgnn.models.stiffness`). They need two exchanges of features between neighbours, which extend the range by
two neighbours.

Steps 2 to 4 are a ridge regression on coarse-grained descriptors. Its coefficients have a low rank, so that the noise
of the labels is not learned by heart. Training does not change the descriptors, so that they are computed once. Members
of the ensemble learn from different structures (`vitrify.symgnn.training.task`).
"""

# No postponed annotations here: TorchScript must see the real types.

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from vitrify.graphs.graph import StructureGraph
from vitrify.models.base import System
from vitrify.symgnn.models.base import SymGNN
from vitrify.symgnn.models.descriptors import DescriptorConfig, densities, hats, invariants, n_invariants
from vitrify.symgnn.models.stiffness import (
    HOPS,
    KNOTS,
    N_STIFFNESS,
    bond_descriptors,
    bond_terms,
    compliance_terms,
    pair_functions,
    softness,
    stiffness_descriptors,
)


class ExactConfig(DescriptorConfig):
    """Hyperparameters of the exact variant, in addition to those of `DescriptorConfig`; they have no units.

    members: number of networks in the ensemble. fields: number of fields of each. hidden: width of the correcting
    network, 0 for none. dropout: in training, of descriptors and of the inputs of the correction. floor: variance below
    which a principal component of the standardised descriptors counts less. stiffness: add descriptors from the
    potential of the labels, which data.potential names.
    """

    variant: Literal["exact"] = "exact"
    members: int = Field(5, ge=1)
    fields: int = Field(4, ge=1)
    hidden: int = Field(0, ge=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    floor: float = Field(5e-4, gt=0)
    stiffness: bool = False

    @model_validator(mode="after")
    def _lengths_grow(self) -> Self:
        if not self.core < self.inner <= self.cutoff:
            raise ValueError(
                f"core {self.core:g}, inner {self.inner:g} and cutoff {self.cutoff:g} must grow in this order"
            )
        return self


class ExactSymGNN(SymGNN):
    """The exact variant, as the module's docstring describes. The features of a node are its fields, member by member.

    centre (D,), whiten (D, D): descriptors enter as (x - centre) @ whiten; `observe_structures` sets them, and
    `exportable` multiplies the matrix into the weights. shell_scale: (shells,), of the sums. pair_table: pair functions
    of the potential, set by `use_potential`, with the pair of species a >= b in row a (a + 1) / 2 + b.
    """

    centre: Tensor
    whiten: Tensor
    shell_scale: Tensor
    pair_table: Tensor

    def __init__(self, config: ExactConfig, system: System) -> None:
        width = config.members * config.fields
        if config.stiffness:
            super().__init__(system, config.cutoff, 2 + HOPS, max(width, 6))
        else:
            super().__init__(system, config.cutoff, 2, width)
        self.stiffness, self.hops = config.stiffness, HOPS
        self.inner, self.core = config.inner, config.core
        self.basis, self.degree, self.shells = config.basis, config.degree, config.shells
        self.members, self.fields, self.hidden = config.members, config.fields, config.hidden
        self.dropout, self.floor = config.dropout, config.floor
        s, m, c = self.n_species, config.members, config.fields
        d = n_invariants(s, config.degree, config.basis) + (N_STIFFNESS if config.stiffness else 0)
        self.register_buffer("centre", torch.zeros(d))
        self.register_buffer("whiten", torch.eye(d))
        self.register_buffer("shell_scale", torch.ones(config.shells))
        self.register_buffer("pair_table", torch.zeros(s * (s + 1) // 2 if config.stiffness else 0, KNOTS, 3))
        # For each species: the fields, and one more that acts on the atom itself only.
        self.field_weight = nn.Parameter(0.02 * torch.randn(s, d, m, c + 1))
        self.field_bias = nn.Parameter(torch.zeros(s, m, c + 1))
        with torch.no_grad():
            self.field_weight[..., c] = 0.0
        readout = torch.full((s, m, config.shells + 1, c), 0.3 / config.shells)
        readout[:, :, 0] = 1.0
        self.readout = nn.Parameter(readout)
        inputs = (config.shells + 1) * c
        self.first_weight = nn.Parameter(torch.randn(m, inputs, max(1, config.hidden)) / inputs**0.5)
        self.first_bias = nn.Parameter(torch.zeros(s, m, max(1, config.hidden)))
        self.last_weight = nn.Parameter(torch.zeros(m, max(1, config.hidden)))

    def stiffness_pass(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor,
        n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The stiffness tensors (n_owned, 6) of order `index`, and the memory with their descriptors.

        The memory holds the descriptors of lower orders and, in its last six columns, the stiffness of order 0.
        """
        if index > 0:  # couplings beyond `inner` are weak
            near = edge_vectors.square().sum(1) < self.inner * self.inner
            edge_index, edge_vectors = edge_index[:, near], edge_vectors[near]
        # In double precision, because small differences of large numbers follow, and their logarithms.
        dtype, edge_vectors = edge_vectors.dtype, edge_vectors.double()
        lengths = edge_vectors.square().sum(1).sqrt()
        directions = edge_vectors / lengths.clamp_min(1e-12).unsqueeze(1)
        functions = pair_functions(self.pair_table.double(), types, edge_index, lengths, self.core, self.cutoff)
        if index == 0:
            terms = bond_terms(functions, lengths, directions)
            sums = terms.new_zeros([n_owned, terms.shape[1]]).index_add(0, edge_index[0], terms)
            descriptors, stiffness = bond_descriptors(sums)
            descriptors, stiffness = descriptors.to(dtype), stiffness.to(dtype)
            return stiffness, torch.cat([descriptors, stiffness], 1)
        terms = compliance_terms(functions, directions, nodes[:, :6][edge_index[1]].double())
        whole = memory[:, -6:]
        sums = terms.new_zeros([n_owned, 6]).index_add(0, edge_index[0], terms)
        stiffness = (whole.double() - sums).to(dtype)
        return stiffness, torch.cat([memory[:, :-6], stiffness_descriptors(stiffness), whole], 1)

    def describe(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int) -> Tensor:
        """Invariant descriptors (n_owned, D) of the owned atoms, without those of the stiffness."""
        near = edge_vectors.square().sum(1) < self.inner * self.inner
        edges, vectors = edge_index[:, near], edge_vectors[near]
        density = densities(
            types[edges[1]], edges[0], vectors, n_owned, self.n_species, self.degree, self.core, self.inner,
            self.basis,
        )  # fmt: skip
        return invariants(density, self.degree)

    def local_fields(self, described: Tensor, types: Tensor) -> Tensor:
        """All fields (n, members, fields + 1) of whitened descriptors (n, D)."""
        found = described.new_zeros([described.shape[0], self.members, self.fields + 1])
        for s in range(self.n_species):
            mine = (types == s).nonzero().flatten()
            weight = self.field_weight[s].flatten(1)
            values = described[mine] @ weight + self.field_bias[s].flatten()
            found = found.index_add(0, mine, values.view(len(mine), self.members, self.fields + 1))
        return found

    def shell_functions(self, lengths: Tensor) -> Tensor:
        """The radial functions of the coarse-graining: (E, shells)."""
        return hats(lengths, self.core, self.cutoff, self.shells) * self.shell_scale

    def predict_members(self, own: Tensor, sums: Tensor, direct: Tensor, types: Tensor) -> Tensor:
        """Standardised predictions (n, members).

        own: (n, members, fields), the fields of the atom itself. sums: (n, shells, members, fields), over the
        neighbours. direct: (n, members), the field that acts on the atom itself only. types: (n,).
        """
        inputs = torch.cat([own.unsqueeze(1), sums], 1).transpose(1, 2)
        linear = (inputs * self.readout[types]).sum([2, 3]) + direct
        if self.hidden == 0:
            return linear
        x = torch.dropout(inputs.flatten(2), self.dropout, self.training)
        hidden = torch.einsum("nmi,mih->nmh", x, self.first_weight) + self.first_bias[types]
        hidden = torch.dropout(nn.functional.silu(hidden), self.dropout, self.training)
        return linear + (hidden * self.last_weight).sum(2)

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Zeros (M, node_width) and an empty memory: the layers compute all features."""
        n = types.shape[0]
        return edge_vectors.new_zeros([n, self.node_width]), edge_vectors.new_zeros([n, 0])

    def layer(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor,
        n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The first layers compute the stiffness, if there is one; the last two compute the fields and their sums.

        The memory is first that of `stiffness_pass`; then it holds the direct field, and in the end also the sums.
        """
        if self.stiffness and index <= self.hops:
            stiffness, memory = self.stiffness_pass(index, nodes, memory, types, edge_index, edge_vectors, n_owned)
            if index < self.hops:
                return torch.constant_pad_nd(softness(stiffness), [0, self.node_width - 6]), memory
        if index + 2 == self.layers:
            described = self.describe(types, edge_index, edge_vectors, n_owned)
            if self.stiffness:
                described = torch.cat([described, memory[:, :-6]], 1)
            described = described - self.centre
            if self.whiten.numel() > 0:
                described = described @ self.whiten
            fields = self.local_fields(described, types[:n_owned])
            carried = fields[:, :, : self.fields].flatten(1)
            return torch.constant_pad_nd(carried, [0, self.node_width - carried.shape[1]]), fields[:, :, self.fields]
        radial = self.shell_functions(edge_vectors.square().sum(1).sqrt())
        carried = nodes[:, : self.members * self.fields][edge_index[1]]
        found = [memory]
        for k in range(self.shells):
            sums = nodes.new_zeros([n_owned, self.members * self.fields])
            found.append(sums.index_add(0, edge_index[0], radial[:, k : k + 1] * carried))
        return nodes[:n_owned], torch.cat(found, 1)

    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The mean of the members, and the standard deviation, which grows with their spread: (n_owned,) each."""
        own = nodes[:n_owned, : self.members * self.fields].view(n_owned, self.members, self.fields)
        sums = memory[:, self.members :].reshape(n_owned, self.shells, self.members, self.fields)
        found = self.predict_members(own, sums, memory[:, : self.members], types[:n_owned])
        mean = found.mean(1)
        spread = (found - mean.unsqueeze(1)).square().mean(1)
        deviation = self.label_scale * (self.residual.square() + self.spread_gain * spread).sqrt()
        return self.in_units(mean, types[:n_owned]), deviation

    @torch.jit.unused
    def use_potential(self, table: Tensor) -> None:
        """Sets the pair functions (P, KNOTS, 3) of a potential; called before `observe_structures`.

        The knots are equally spaced from `core` to `cutoff`; see `vitrify.data.potentials.effective_pair_functions`.
        """
        self.pair_table.copy_(table)

    @torch.jit.unused
    def mean_stiffness(self, graphs: Sequence[StructureGraph]) -> Tensor:
        """The mean eigenvalue of the stiffness of all atoms, in units of the table."""
        traces = [self.stiffness_pass(0, *self.start(*graph), *graph, len(graph.types))[0][:, :3] for graph in graphs]
        return torch.cat(traces).mean()

    @torch.jit.unused
    def describe_all(self, graph: StructureGraph) -> Tensor:
        """All descriptors (N, D) of a structure, with those of the stiffness."""
        n = len(graph.types)
        parts = [self.describe(*graph, n)]
        if self.stiffness:
            nodes, memory = self.start(*graph)
            for index in range(HOPS + 1):
                stiffness, memory = self.stiffness_pass(index, nodes, memory, *graph, n)
                nodes = softness(stiffness)
            parts.append(memory[:, :-6])
        return torch.cat(parts, 1)

    @torch.jit.unused
    def observe_structures(self, graphs: Sequence[StructureGraph]) -> None:
        """Sets centre, whitening and shell scales from the training structures."""
        described = [self.describe_all(graph).double() for graph in graphs]
        rows = torch.cat(described)
        self.centre.copy_(rows.mean(0))
        self.whiten.copy_(self.whitening(rows))
        squares = torch.zeros(self.shells, dtype=torch.float64)
        for graph in graphs:
            squares += self.shell_functions(graph.edge_vectors.square().sum(1).sqrt()).double().square().sum(0)
        self.shell_scale.copy_((len(rows) / squares.clamp_min(1e-12)).sqrt())

    @torch.jit.unused
    def whitening(self, rows: Tensor) -> Tensor:
        """The matrix (D, D) by which the deviations of descriptors `rows` (n, D) from their mean are whitened."""
        mean, std = rows.mean(0), rows.std(0, correction=0)
        # Constant descriptors carry no information, and get no weight.
        std = torch.where(std > 1e-6 * std.max(), std, std.new_full((), float("inf")))
        standard = (rows - mean) / std
        values, vectors = torch.linalg.eigh(standard.T @ standard / len(rows))
        whiten = vectors / (values.clamp_min(0.0) + self.floor).sqrt() * (values > 1e-6)
        found: Tensor = whiten / std.unsqueeze(1)
        return found

    @torch.jit.unused
    def prepare(self, graph: StructureGraph) -> tuple[Tensor, Tensor, Tensor]:
        """Whitened descriptors (N, D), and the coarse-graining as a sparse matrix (shells N, N) with its transpose."""
        n = len(graph.types)
        described = self.describe_all(graph) - self.centre
        if self.whiten.numel() > 0:
            described = described @ self.whiten
        radial = self.shell_functions(graph.edge_vectors.square().sum(1).sqrt())
        edge, shell = radial.nonzero(as_tuple=True)
        rows, columns = shell * n + graph.edge_index[0, edge], graph.edge_index[1, edge]
        values = radial[edge, shell]
        forward = _csr(rows, columns, values, (self.shells * n, n))
        return described, forward, _csr(columns, rows, values, (n, self.shells * n))

    @torch.jit.unused
    def standard_members(self, graph: StructureGraph, prepared: Any) -> Tensor:
        """Standardised predictions (N, members), from the result of `prepare`."""
        return self.predict_members(*self.gather(graph, prepared), graph.types)

    @torch.jit.unused
    def gather(self, graph: StructureGraph, prepared: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The arguments `own`, `sums` and `direct` of `predict_members`, from the result of `prepare`."""
        described, forward, transposed = prepared
        fields = self.local_fields(nn.functional.dropout(described, self.dropout, self.training), graph.types)
        own = fields[:, :, : self.fields]
        smooth: Callable[[Tensor, Tensor, Tensor], Tensor] = _Smoothing.apply
        sums = smooth(own.flatten(1), forward, transposed)
        sums = sums.view(self.shells, -1, self.members, self.fields).transpose(0, 1)
        return own, sums, fields[:, :, self.fields]

    @torch.jit.unused
    def exportable(self) -> "ExactSymGNN":
        """A copy with the whitening multiplied into the weights of the fields: equal predictions, smaller file."""
        model = copy.deepcopy(self)
        if self.whiten.numel() == 0:
            return model
        with torch.no_grad():
            folded = torch.einsum("ij,sjmc->simc", self.whiten.double(), self.field_weight.double())
            model.field_weight.copy_(folded)
        model.take_file_form()
        return model

    @torch.jit.unused
    def take_file_form(self) -> None:
        """Removes the whitening matrix."""
        self.whiten = self.whiten.new_zeros([0, 0])

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        """Sizes that the native engine needs beside the weights."""
        names = ("inner", "core", "basis", "degree", "shells", "members", "fields", "hidden", "stiffness")
        return {name: getattr(self, name) for name in names} if self.whiten.numel() == 0 else {}


def _csr(rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():  # "in beta state"
        warnings.filterwarnings("ignore", message=".*[Ss]parse.*", category=UserWarning)
        return torch.sparse_coo_tensor(torch.stack([rows, columns]), values, shape).to_sparse_csr()


class _Smoothing(torch.autograd.Function):
    """matrix @ x; the gradient uses the given transposed matrix."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        """matrix (K, N), x (N, C) -> (K, C)."""
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """The gradient with respect to x (N, C)."""
        return ctx.transposed @ gradients[0].contiguous(), None, None
