"""The SymGNN of the paper (section 4.2), and its baseline on lengths.

    f_ij  = Sym = 1/k sum_t Enc(T_t r_ij)                                          (eqs. 5 and 6)
    s_ij  = LeakyReLU(A h_i + B h_j + C f_ij)                                      one part for each head
    a_ij  = softmax over the neighbours j of (w . s_ij)                            attention of each head
    h_i  += P ELU(BatchNorm(sum_j a_ij V h_j)),   f_ij += Q s_ij                   skip connections

Enc is an MLP 3-32-32. Its last layer is linear, so that it is applied once, to the mean. The types of the atoms enter
through their embeddings h_i, which no transformation changes. In the released code every head has the full width; here
`head_width` divides the width among the heads by default, which is eight times cheaper in the first layer.

Training draws k transformations in each step. Inference is deterministic, with the average of which those draws are a
sample: for `von_mises` over quantiles of the learned angles, for `haar` and `icosahedral` over the icosahedral group.
Neither is exactly invariant. Under random rotations and reflections, the predictions of untrained networks with dropout
0 change by these fractions of the spread within a species: `haar` and `icosahedral` 0.001, `von_mises` 0.01 to 0.07,
`fixed3` 0.04 to 0.1, `none` 0.05 to 0.2 (`tests/symgnn/test_symgnn_symmetry.py` has bounds). Training can raise them.

The average acts on an encoder of one vector. So the more exact it is, the more f_ij depends on |r_ij| only. The limit
is the variant `egat`, which is exactly invariant but has no angles.
"""

# No postponed annotations here: TorchScript must see the real types.

import math
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch._jit_internal import is_scripting
from torch.autograd.function import once_differentiable

from vitrify.graphs.graph import sum_over_centres
from vitrify.models.base import ModelConfig, System
from vitrify.symgnn.models.blocks import BatchNorm, BlockSymGNN, lengths, regression_head
from vitrify.symgnn.models.transforms import (
    fixed_matrices,
    haar_matrices,
    icosahedral_group,
    von_mises_nodes,
    von_mises_sample,
)


class AttentionConfig(ModelConfig):
    """Hyperparameters that both variants have.

    cutoff: of the graph, in the unit of length. heads: number of attention heads of each layer. width: number of
    features of nodes and edges. head_width: number of features of each head; default: width / heads. dropout:
    probability for node features after each layer.
    """

    cutoff: float = Field(5.0, gt=0)
    heads: tuple[int, ...] = Field((8, 4, 2, 1), min_length=1)
    width: int = Field(32, ge=1)
    head_width: int | None = Field(None, ge=1)
    dropout: float = Field(0.25, ge=0, lt=1)

    @model_validator(mode="after")
    def _divides(self) -> "AttentionConfig":
        for heads in self.heads:
            if heads < 1 or (self.head_width is None and self.width % heads):
                raise ValueError(f"{heads} heads do not share a width of {self.width}: set head_width too")
        return self


class EGATConfig(AttentionConfig):
    """Hyperparameters of the attention network on lengths: those of `AttentionConfig`."""

    variant: Literal["egat"] = "egat"


class PaperSymGNNConfig(AttentionConfig):
    """Hyperparameters of the paper's variant, in addition to those of `AttentionConfig`.

    sampling: distribution of the transformations. von_mises: learned Euler angles, as in the paper; haar: uniform on
    O(3); icosahedral: elements of the icosahedral group; fixed3: three fixed transformations, as in the paper's data
    augmentation; none: the identity. transformations: k of eq. 6, for the first three. quantiles: number of quantiles
    of each angle in inference.
    """

    variant: Literal["paper"] = "paper"
    sampling: Literal["von_mises", "haar", "icosahedral", "fixed3", "none"] = "von_mises"
    transformations: int = Field(6, ge=1)
    quantiles: int = Field(4, ge=1, le=16)


def mean_of_relu(vectors: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """1/T sum_t ReLU(W_t r + b) (E, W) of vectors (E, 3), weights (T, W, 3), bias (W,).

    The edges are processed in chunks that fit into the cache, since inference spends most of its time here.
    """
    parts: list[Tensor] = []
    for first in range(0, max(vectors.shape[0], 1), 4096):
        chunk = vectors[first : first + 4096]
        total = torch.zeros([chunk.shape[0], bias.shape[0]], dtype=bias.dtype, device=bias.device)
        for t in range(weights.shape[0]):
            total = total + torch.relu(torch.addmm(bias, chunk, weights[t].t()))
        parts.append(total)
    return torch.cat(parts) / weights.shape[0]


class MeanOfReLU(torch.autograd.Function):
    """`mean_of_relu` with gradients that recompute its terms, so that no array of the size T E is stored."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(vectors, weights, bias)
        return mean_of_relu(vectors, weights, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:
        vectors, weights, bias = ctx.saved_tensors
        by_weights, by_bias = torch.zeros_like(weights), torch.zeros_like(bias)
        by_vectors = torch.zeros_like(vectors)
        scaled = gradients[0] / len(weights)
        for chunk, gradient, by_chunk in zip(*(t.split(4096) for t in (vectors, scaled, by_vectors)), strict=True):
            for t, weight in enumerate(weights):
                active = gradient * (torch.addmm(bias, chunk, weight.t()) > 0)
                by_weights[t] += active.t() @ chunk
                by_bias += active.sum(0)
                if ctx.needs_input_grad[0]:
                    by_chunk += active @ weight
        return by_vectors, by_weights, by_bias


def mean_of_relu_with_gradients(vectors: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """`mean_of_relu` for eager torch, with gradients."""
    mean: Tensor = MeanOfReLU.apply(vectors, weights, bias)  # type: ignore[no-untyped-call]
    return mean


class Symmetrised(nn.Module):
    """Sym of eqs. 5 and 6: vectors (E, 3), in units of half the cutoff, -> features (E, width)."""

    transforms: Tensor

    def __init__(self, config: PaperSymGNNConfig) -> None:
        super().__init__()
        self.config = config
        self.hidden = nn.Linear(3, config.width)
        self.output = nn.Linear(config.width, config.width)
        if config.sampling == "von_mises":
            # Mean and logarithm of the concentration of the three angles, for rotations and for rotoinversions.
            self.angle_mean = nn.Parameter(torch.randn(2, 3))
            self.angle_log_kappa = nn.Parameter(torch.randn(2, 3))
        with torch.device("cpu"):  # numbers, also where only the shapes of a network are asked for
            self.register_buffer("transforms", self._fixed())

    def _fixed(self) -> Tensor:
        """The transformations of inference (T, 3, 3), float64."""
        sampling = self.config.sampling
        if sampling == "von_mises":
            if self.angle_mean.is_meta:
                return von_mises_nodes(torch.zeros(2, 3), torch.ones(2, 3), self.config.quantiles)
            return von_mises_nodes(self.angle_mean, self.angle_log_kappa.exp(), self.config.quantiles)
        if sampling in ("haar", "icosahedral"):
            return icosahedral_group()
        return fixed_matrices() if sampling == "fixed3" else torch.eye(3, dtype=torch.float64).view(1, 3, 3)

    def draw(self) -> Tensor:
        """The transformations of one training step (k, 3, 3)."""
        k, sampling = self.config.transformations, self.config.sampling
        if sampling == "von_mises":
            return von_mises_sample(k, self.angle_mean, self.angle_log_kappa.exp())
        if sampling == "haar":
            return haar_matrices(k).to(self.hidden.weight)
        if sampling == "icosahedral":
            return self.transforms[torch.randint(0, len(self.transforms), (k,))]
        return self.transforms

    def train(self, mode: bool = True) -> "Symmetrised":
        """As for any module; leaving training sets the transformations of inference from the learned angles."""
        super().train(mode)
        if not mode:
            self.transforms = self._fixed().to(self.hidden.weight)
        return self

    def forward(self, vectors: Tensor) -> Tensor:
        if not is_scripting():
            matrices = self.draw() if self.training else self.transforms
            weights = self.hidden.weight @ matrices.to(self.hidden.weight)
            mean = mean_of_relu_with_gradients(vectors, weights, self.hidden.bias)
        else:
            mean = mean_of_relu(vectors, self.hidden.weight.matmul(self.transforms), self.hidden.bias)
        features: Tensor = self.output(mean)
        return features


class AttentionBlock(nn.Module):
    """One layer of edge graph attention; symbols as in the module's docstring."""

    def __init__(self, width: int, heads: int, head_width: int, dropout: float, last: bool) -> None:
        super().__init__()
        inner = heads * head_width
        self.heads = heads
        self.centre = nn.Linear(width, inner, bias=False)
        self.neighbour = nn.Linear(width, inner, bias=False)
        self.edge = nn.Linear(width, inner)
        self.score = nn.Parameter(torch.randn(heads, head_width) / math.sqrt(head_width))
        self.value = nn.Linear(width, inner, bias=False)
        self.norm = BatchNorm(inner)
        self.output = nn.Linear(inner, width)
        self.last = last  # nothing reads the edges after the last layer
        self.edge_output = nn.Identity() if last else nn.Linear(inner, width)
        self.dropout = dropout

    def forward(
        self, nodes: Tensor, memory: Tensor, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """nodes (M, width), memory (E, width): edge features -> updated (n_owned, width) and (E, width)."""
        i, j = edge_index[0], edge_index[1]
        owned = nodes[:n_owned]
        s = self.edge(memory) + self.centre(owned).index_select(0, i) + self.neighbour(nodes).index_select(0, j)
        s = torch.prelu(s, s.new_full([1], 0.2))  # LeakyReLU; its own operator is not on the allow-list of hosts
        # The scores of all heads in one matrix product: block h of the columns is w_h.
        blocks = torch.eye(self.heads, dtype=s.dtype, device=s.device).unsqueeze(1) * self.score.unsqueeze(2)
        scores = s.matmul(blocks.flatten(0, 1))
        peaks = scores.new_full([n_owned, self.heads], -1e30)
        peaks = peaks.scatter_reduce(0, i.unsqueeze(1).expand_as(scores), scores.detach(), "amax")
        weights = (scores - peaks.index_select(0, i)).exp()
        messages = weights.repeat_interleave(self.score.shape[1], dim=1) * self.value(nodes).index_select(0, j)
        # Only isolated atoms have a norm of zero.
        norms = sum_over_centres(weights, i, n_owned).clamp_min(1e-30)
        attended = sum_over_centres(messages, i, n_owned) / norms.repeat_interleave(self.score.shape[1], dim=1)
        new = owned + self.output(torch.celu(self.norm(attended)))
        edges = memory if self.last else memory + self.edge_output(s)
        return torch.dropout(new, self.dropout, self.training), edges


class AttentionNetwork(BlockSymGNN):
    """The attention layers and the regression head of both variants, which differ in the features of edges."""

    def __init__(self, config: AttentionConfig, system: System) -> None:
        width = config.width
        blocks: list[nn.Module] = [
            AttentionBlock(
                width, heads, config.head_width or width // heads, config.dropout, number + 1 == len(config.heads)
            )
            for number, heads in enumerate(config.heads)
        ]
        super().__init__(system, config.cutoff, width, blocks, regression_head(width, width))
        self.embedding = nn.Embedding(self.n_species, width)


class PaperSymGNN(AttentionNetwork):
    """The paper's variant, as the module's docstring describes."""

    def __init__(self, config: PaperSymGNNConfig, system: System) -> None:
        super().__init__(config, system)
        self.encoder = Symmetrised(config)

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        return self.embedding(types), self.encoder(edge_vectors * (2.0 / self.cutoff))


class LengthEGAT(AttentionNetwork):
    """The paper's baseline, exactly invariant: the length of an edge is its only feature."""

    def __init__(self, config: EGATConfig, system: System) -> None:
        super().__init__(config, system)
        self.encoder = nn.Sequential(nn.Linear(1, config.width), nn.ReLU(), nn.Linear(config.width, config.width))

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        # Bonds of a dense glass have lengths from half the cutoff to the cutoff: about -1 to 1 when scaled.
        scaled = lengths(edge_vectors) * (4.0 / self.cutoff) - 3.0
        return self.embedding(types), self.encoder(scaled.unsqueeze(1))
