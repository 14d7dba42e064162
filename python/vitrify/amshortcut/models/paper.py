"""The generators as published, `variant: paper`, and its baselines, the material SDE (`sde`) and ODE (`ode`).

The network is the E(n) equivariant one of the paper's appendix B.4. With `backbone: moments` it is that of
`variant: flow`, so that processes can be compared with equal networks.

Choices where the text of the paper leaves something open:
- A layer has two exchanges of messages, then one of positions, and displacements are divided by
  sqrt(d^2 + 1) + 1, as in the code of E. Hoogeboom et al. (2022), which the equations follow.
- Edge attributes (eq. 12) follow from the input positions in every layer, since X there has no index of a layer.
- The cutoff function (eq. 15) is 2 tanh^2(1 - r / r_cut), and weighs messages as well as displacements.
- An MLP has two linear maps, with layer normalisation and SiLU between them; attention is one linear map.
- One linear map embeds the node features and another one gives the elements, since their numbers differ from the
  hidden dimension; the text calls the features themselves the output.
- Properties are standardised before eq. 6, and each has its own normalisation.
- The step size is an input of all three variants; for the material SDE and ODE it is always zero.
"""

# No postponed annotations here: TorchScript must see the real types.

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from vitrify.amshortcut.models.base import AMShortcut, Condition, PropertyCondition
from vitrify.amshortcut.models.flow import MomentLayer, harmonics
from vitrify.graphs.graph import sum_over_centres
from vitrify.models.base import ModelConfig, System

_NULL_OF_MOMENTS = 0.15


class MaterialConfig(ModelConfig):
    """Hyperparameters of the published generators; lengths in the unit of the data.

    cutoff: of the graph (length). width: number of features of an atom. layers: number of layers. channels: number of
    vectors of an atom. embedding: numbers that embed one property. splines, condition: for `backbone: moments` only,
    as in `variant: flow`. ghosts: number density up to which ghost atoms fill the cells; by default there are none.
    null: probability in training that a property is not given; by default 0, as published, and 0.15 for `backbone:
    moments`, whose embedding of a missing property is learned.
    """

    backbone: Literal["egnn", "moments"] = "egnn"
    cutoff: float = Field(6.5, gt=0)
    width: int = Field(128, ge=4, le=512)
    layers: int = Field(4, ge=1, le=8)
    channels: int = Field(8, ge=1, le=32)
    embedding: int = Field(16, ge=2)
    splines: int = Field(20, ge=8, le=64)
    condition: int = Field(64, ge=8)
    ghosts: float | None = Field(None, gt=0)
    null: float | None = Field(None, ge=0, le=1)


class ODEConfig(MaterialConfig):
    """The material ODE."""

    variant: Literal["ode"] = "ode"


class SDEConfig(MaterialConfig):
    """The material SDE."""

    variant: Literal["sde"] = "sde"


class PaperAMShortcutConfig(MaterialConfig):
    """AMShortcut: the material SDE with shortcuts.

    shortcuts: share of the batches that learn long steps from two halves. shortest: shortest step that is learned in
    this way, in units of the whole way.
    """

    variant: Literal["paper"] = "paper"
    shortcuts: float = Field(0.25, ge=0, le=1)
    shortest: float = Field(1 / 128, gt=0, lt=1)


class PaperCondition(PropertyCondition):
    """Concatenates time, step size and the embedding of each property (eq. 6): (S, 2 + P * embedding).

    A property that is not requested is embedded as standard normal numbers, which torch draws anew in each call.
    """

    random = True

    def __init__(self, n_properties: int, embedding: int) -> None:
        super().__init__(n_properties, 2 + n_properties * embedding)
        self.embedding = embedding
        self.weight = nn.Parameter(torch.randn(n_properties, embedding))
        self.bias = nn.Parameter(torch.randn(n_properties, embedding))
        self.norm_weight = nn.Parameter(torch.ones(n_properties, embedding))
        self.norm_bias = nn.Parameter(torch.zeros(n_properties, embedding))

    def forward(self, time: Tensor, step: Tensor, properties: Tensor, known: Tensor) -> Tensor:
        """time, step (S,), properties, known (S, P) -> (S, width)."""
        times = torch.stack([time, step], dim=1)
        if self.n_properties == 0:
            return times
        linear = self.standard(properties).unsqueeze(2) * self.weight + self.bias
        found = functional.layer_norm(linear, [self.embedding]) * self.norm_weight + self.norm_bias
        mask = known.unsqueeze(2)
        found = mask * found + (1.0 - mask) * torch.randn_like(found)
        return torch.cat([times, found.flatten(1)], dim=1)


def _mlp(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, outputs))


def _scaled_sum(values: Tensor, centres: Tensor, n: int) -> Tensor:
    """Sums (n, K) of values (E, K) over neighbours, divided by the constant n_norm of the paper."""
    return sum_over_centres(values, centres, n) / 40.0


class EdgeMLP(nn.Module):
    """An MLP of [H_i, H_j, e_ij]. Its first linear map acts on atoms and edges separately, which costs less."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.centre = nn.Linear(width, width)
        self.neighbour = nn.Linear(width, width, bias=False)
        self.edge = nn.Linear(1, width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, outputs)

    def forward(self, h: Tensor, edge_index: Tensor, attributes: Tensor) -> Tensor:
        """h (N, W), attributes (E, 1) -> (E, outputs)."""
        ends = self.centre(h).index_select(0, edge_index[0]) + self.neighbour(h).index_select(0, edge_index[1])
        found: Tensor = self.out(functional.silu(self.norm(ends + self.edge(attributes))))
        return found


class Exchange(nn.Module):
    """The first half of eq. 13: messages, weighted by attention, change the node features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.message = EdgeMLP(width, width)
        self.attention = nn.Linear(width, 1)
        self.update = _mlp(2 * width, width, width)

    def forward(self, h: Tensor, edge_index: Tensor, attributes: Tensor, envelope: Tensor) -> Tensor:
        """h (N, W), attributes, envelope (E, 1) -> new h."""
        messages = functional.silu(self.message(h, edge_index, attributes))
        weighted = messages * (torch.sigmoid(self.attention(messages)) * envelope)
        total = _scaled_sum(weighted, edge_index[0], h.shape[0])
        change: Tensor = self.update(torch.cat([h, total], dim=1))
        return h + change


class EGNNLayer(nn.Module):
    """Two exchanges of messages, then the second half of eq. 13: displacements change along the edges.

    Coordinates are stored as displacements u (N, 3, channels) from the input positions, which do not depend on the
    cell: the vector of an edge is r_ij + u_j - u_i. All layers use the edges of the input.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.exchanges = nn.ModuleList([Exchange(width), Exchange(width)])
        self.mixing = EdgeMLP(width, channels * channels)
        # Small at first, since sums over many neighbours in many layers would move the atoms far away.
        nn.init.xavier_uniform_(self.mixing.out.weight, gain=0.001)
        nn.init.zeros_(self.mixing.out.bias)

    def forward(
        self, h: Tensor, u: Tensor, edge_index: Tensor, edge_vectors: Tensor, attributes: Tensor, envelope: Tensor
    ) -> tuple[Tensor, Tensor]:
        """h (N, W), u (N, 3, channels), attributes, envelope (E, 1) -> new h, u."""
        for exchange in self.exchanges:
            h = exchange(h, edge_index, attributes, envelope)
        d = edge_vectors.unsqueeze(2) + u.index_select(0, edge_index[1]) - u.index_select(0, edge_index[0])
        d = d / ((d.square().sum(1, keepdim=True) + 1.0).sqrt() + 1.0)
        mixing = self.mixing(h, edge_index, attributes) * envelope
        moved = torch.bmm(d, mixing.view(-1, self.channels, self.channels))
        return h, u + _scaled_sum(moved.flatten(1), edge_index[0], h.shape[0]).view_as(u)


class EGNN(nn.Module):
    """The published backbone: displacements (N, 3) of the first channel, and elements (N, kinds)."""

    def __init__(self, config: MaterialConfig, kinds: int, condition: int) -> None:
        super().__init__()
        self.cutoff, self.channels = config.cutoff, config.channels
        self.start = nn.Linear(condition + kinds, config.width)
        self.blocks = nn.ModuleList(EGNNLayer(config.width, config.channels) for _ in range(config.layers))
        self.finish = nn.Linear(config.width, kinds)

    def forward(
        self, elements: Tensor, sample: Tensor, edge_index: Tensor, edge_vectors: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The outputs (N, 3) and (N, kinds), as `AMShortcut.outputs`."""
        reduced = edge_vectors.square().sum(1, keepdim=True).clamp_min(1e-12).sqrt() / self.cutoff
        attributes = 2.0 * torch.tanh(reduced) - 1.0
        envelope = 2.0 * torch.tanh(1.0 - reduced.clamp_max(1.0)).square()
        h = self.start(torch.cat([condition.index_select(0, sample), elements], dim=1))
        u = edge_vectors.new_zeros([h.shape[0], 3, self.channels])
        for block in self.blocks:
            h, u = block(h, u, edge_index, edge_vectors, attributes, envelope)
        return u[:, :, 0], self.finish(h)


class Moments(nn.Module):
    """The network of `variant: flow`, with noisy elements as input and output."""

    def __init__(self, config: MaterialConfig, kinds: int) -> None:
        super().__init__()
        self.start = nn.Linear(kinds, config.width)
        self.blocks = nn.ModuleList(
            MomentLayer(config.width, config.splines, config.cutoff, config.condition, first=index == 0)
            for index in range(config.layers)
        )
        self.gate = nn.Linear(config.width, config.width)
        self.finish = nn.Linear(config.width, kinds)

    def forward(
        self, elements: Tensor, sample: Tensor, edge_index: Tensor, edge_vectors: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The outputs (N, 3) and (N, kinds), as `AMShortcut.outputs`."""
        s = self.start(elements)
        v = s.new_zeros([s.shape[0], 3, s.shape[1]])
        distances, directions = harmonics(edge_vectors)
        for block in self.blocks:
            s, v = block(s, v, sample, edge_index, distances, directions, condition)
        return (self.gate(s).unsqueeze(1) * v).mean(2), self.finish(s)


class PaperAMShortcut(AMShortcut):
    """The generators of Y. Lin, J. Finkler et al. (2026), section 4 and appendix B.

    The last kind of element is a ghost.
    """

    def __init__(self, config: ODEConfig | SDEConfig | PaperAMShortcutConfig, system: System) -> None:
        n, kinds = len(system.properties), len(system.species) + 1
        moments = config.backbone == "moments"
        condition = Condition(n, config.condition) if moments else PaperCondition(n, config.embedding)
        super().__init__(system, config.cutoff, config.layers, config.width, condition)
        self.process = "shortcut" if config.variant == "paper" else config.variant
        self.kinds = kinds
        self.ghost_density = config.ghosts
        self.long_steps = isinstance(config, PaperAMShortcutConfig)
        if isinstance(config, PaperAMShortcutConfig):
            self.shortcuts, self.shortest = config.shortcuts, config.shortest
        self.null = config.null if config.null is not None else _NULL_OF_MOMENTS * moments
        self.backbone = Moments(config, kinds) if moments else EGNN(config, kinds, condition.width)

    def outputs(
        self, elements: Tensor, sample: Tensor, edge_index: Tensor, edge_vectors: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Noise or velocities, depending on the process, of positions (N, 3) and of elements (N, kinds)."""
        found: tuple[Tensor, Tensor] = self.backbone(elements, sample, edge_index, edge_vectors, condition)
        return found
