"""The OGN of the paper (sections 4.2 and 4.3): a plain message-passing network.

It neither conserves momentum nor has rotational symmetry; symmetry is learned from augmented data. It is kept for
comparison.
"""

# No postponed annotations here: TorchScript must see the real types.

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from vitrify.graphs.graph import sum_over_centres
from vitrify.models.base import ModelConfig, System
from vitrify.models.nn import OnlineStandardiser, truncated_normal_
from vitrify.ogn.models.base import OGN


class PaperConfig(ModelConfig):
    """Hyperparameters of the paper's variant.

    cutoff: of the graph, in the unit of length. layers: message-passing layers, 10 in the paper's OGN and 2 in its
    Fast-OGN. width: features of nodes and edges.
    """

    variant: Literal["paper"] = "paper"
    cutoff: float = Field(3.0, gt=0)
    layers: int = Field(2, ge=1)
    width: int = Field(64, ge=1)


class PaperMLP(nn.Module):
    """A hidden and an output layer, both with ReLU, then LayerNorm; a decoder ends in a linear output layer.

    forward: (n, inputs) -> (n, outputs).
    """

    def __init__(self, inputs: int, width: int, outputs: int, decoder: bool = False) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, width)
        self.output = nn.Linear(width, outputs)
        for linear in (self.hidden, self.output):
            truncated_normal_(linear)
        self.finish = nn.Identity() if decoder else nn.Sequential(nn.ReLU(), nn.LayerNorm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.finish(self.output(torch.relu(self.hidden(x))))
        return y


class PaperLayer(nn.Module):
    """Edge update (eq. 10), then node update with the sums over outgoing and incoming edges (eq. 11)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # Each end and the edge come as [current, encoder's embedding].
        self.edge_mlp = PaperMLP(6 * width, width, width)
        self.node_mlp = PaperMLP(4 * width, width, width)

    def forward(self, nodes: Tensor, edges: Tensor, edge_index: Tensor, n_owned: int) -> tuple[Tensor, Tensor]:
        """nodes (M, 2W) and edges (E, 2W), each [current, embedding] -> updated (n_owned, 2W) and (E, 2W)."""
        width = edges.shape[1] // 2
        i, j = edge_index[0], edge_index[1]
        updated = self.edge_mlp(torch.cat([edges, nodes[i], nodes[j]], dim=1))
        m = nodes.shape[0]
        outgoing = sum_over_centres(updated, i, m)[:n_owned]
        incoming = sum_over_centres(updated, j, m)[:n_owned]
        owned = nodes[:n_owned]
        new = self.node_mlp(torch.cat([owned, outgoing, incoming], dim=1))
        return torch.cat([new, owned[:, width:]], dim=1), torch.cat([updated, edges[:, width:]], dim=1)


class PaperOGN(OGN):
    """Nodes [one-hot type, velocity], edges r_j - r_i; encoder, message-passing layers, decoder to [dr, dv]."""

    def __init__(self, config: PaperConfig, system: System) -> None:
        width = config.width
        super().__init__(system, config.cutoff, config.layers, node_width=2 * width, reverse_edges=True)
        inputs = self.n_species + 3
        self.node_inputs = OnlineStandardiser(inputs)
        self.edge_inputs = OnlineStandardiser(3)
        self.outputs = OnlineStandardiser(6)
        self.node_encoder = PaperMLP(inputs, width, width)
        self.edge_encoder = PaperMLP(3, width, width)
        self.blocks = nn.ModuleList([PaperLayer(width) for _ in range(config.layers)])
        self.decoder = PaperMLP(width, width, 6, decoder=True)

    def node_features(self, types: Tensor, velocities: Tensor) -> Tensor:
        """[one-hot type, velocity] (M, n_species + 3)."""
        return torch.cat([functional.one_hot(types, self.n_species).to(velocities.dtype), velocities], dim=1)

    @torch.jit.unused
    def observe(self, types: Tensor, velocities: Tensor, edge_vectors: Tensor, dr: Tensor, dv: Tensor) -> None:
        """Adds a training batch to the online standardisation (section 4.4 ii)."""
        self.node_inputs.observe(self.node_features(types, velocities))
        self.edge_inputs.observe(edge_vectors)
        self.outputs.observe(torch.cat([dr, dv], dim=1))

    @torch.jit.unused
    def loss_scales(self, types: Tensor) -> tuple[Tensor, Tensor]:
        """Spreads (3,) of dr and of dv: the loss is on standardised outputs (section 4.4 iii)."""
        return self.outputs.std[:3], self.outputs.std[3:]

    @torch.jit.unused
    def scale_velocity_changes(self, factor: float) -> None:
        """Multiplies every predicted dv by `factor`."""
        self.outputs.mean[3:] *= factor
        self.outputs.std[3:] *= factor

    def start(
        self, types: Tensor, velocities: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        nodes = self.node_encoder(self.node_inputs(self.node_features(types, velocities)))
        edges = self.edge_encoder(self.edge_inputs(edge_vectors))
        return torch.cat([nodes, nodes], dim=1), torch.cat([edges, edges], dim=1)

    def layer(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor, velocities: Tensor, edge_index: Tensor,
        edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        new_nodes, new_memory = nodes[:n_owned], memory
        for number, block in enumerate(self.blocks):  # TorchScript cannot index a ModuleList with a variable
            if number == index:
                new_nodes, new_memory = block(nodes, memory, edge_index, n_owned)
        return new_nodes, new_memory

    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor, velocities: Tensor, edge_index: Tensor,
        edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        width = nodes.shape[1] // 2
        output = self.outputs.inverse(self.decoder(nodes[:n_owned, :width]))
        return output[:, :3], output[:, 3:]
