"""`variant: paper` and `variant: distance`: the GlassVAE of the paper and its ablations, for comparison.

Their weaknesses are kept. Edges carry displacement vectors, so that nothing is invariant to rotation. Positions are
decoded as a shift of the input's, so that distances are copied. Species are decoded by the number of an atom, in a
structure of fixed size. The energy of the full model reads the input's edges beside z.
"""

# No postponed annotations here: TorchScript must see the real types.

from abc import abstractmethod
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vitrify.glassvae.models.base import GlassVAE
from vitrify.models.base import ModelConfig, System


class PaperGlassVAEConfig(ModelConfig):
    """Hyperparameters of the paper's model; its sizes are not published.

    ablation: none; single (one latent space: the energy of z alone); gnn-mlp (graph network and energy, no decoders).
    The paper's "no RDF" is loss.rdf: 0. cutoff: of the graph, in the unit of length. width: features of nodes and
    edges. layers, edge_layers: number of layers of the graph network and of the edge path. latent: length of z. atoms:
    number of atoms of every structure.
    """

    variant: Literal["paper"] = "paper"
    ablation: Literal["none", "single", "gnn-mlp"] = "none"
    cutoff: float = Field(5.0, gt=0)
    width: int = Field(48, ge=4)
    layers: int = Field(3, ge=1, le=8)
    edge_layers: int = Field(2, ge=1, le=8)
    latent: int = Field(32, ge=1, le=256)
    atoms: int = Field(108, ge=1)


class DistanceGlassVAEConfig(ModelConfig):
    """Hyperparameters of the variational autoencoder of the distance matrix.

    cutoff: of the graph, in the unit of length. width: of hidden layers. latent: length of z. atoms: number of atoms of
    every structure.
    """

    variant: Literal["distance"] = "distance"
    cutoff: float = Field(5.0, gt=0)
    width: int = Field(64, ge=4)
    latent: int = Field(32, ge=1, le=256)
    atoms: int = Field(108, ge=1)


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """A perceptron with one hidden layer: (n, inputs) -> (n, outputs)."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


class FixedGlassVAE(GlassVAE):
    """Base of both variants: the energy of a whole structure, and decoded species and distances of numbered atoms.

    decodes: whether the variant has decoders.
    """

    decodes: bool

    def __init__(self, system: System, cutoff: float, layers: int, width: int, latent: int, atoms: int) -> None:
        super().__init__(system, cutoff, layers, width, latent)
        self.n_atoms, self.decodes = atoms, True

    def energies(self, features: Tensor, types: Tensor, sample: Tensor, mu: Tensor, summary: Tensor) -> Tensor:
        """An equal share of the energy for each atom (n,); see `vitrify.glassvae.models.base`."""
        return (self.property_mean[0] + self.property_scale[0] * self.energy(mu, summary))[sample]

    @abstractmethod
    def energy(self, mu: Tensor, summary: Tensor) -> Tensor:
        """Standardised energy for each atom (S,)."""

    @abstractmethod
    def rebuilt(
        self, z: Tensor, sample: Tensor, atom: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits (M, species) and edge attributes (E, 4), displacement and distance, from z (S, latent).

        sample: (M,), the structure of each atom. atom: (M,), its number within the structure. The edges are the
        input's.
        """

    @torch.jit.export
    def reconstruct(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, species) and distances (E,) of one structure through its latent vector."""
        n = types.shape[0]
        if n != self.n_atoms:
            raise ValueError("the structure has another number of atoms than the model decodes")
        contributions = self.atoms(types, edge_index, edge_vectors, n)[1]
        counts = torch.ones_like(contributions[:, 0]).sum().unsqueeze(0)
        mu = self.head(contributions.sum(0, keepdim=True), counts)[0]
        logits, attributes = self.rebuilt(mu, torch.zeros_like(types), torch.arange(n), edge_index, edge_vectors)
        return logits, attributes[:, 3]


class PaperGlassVAE(FixedGlassVAE):
    """Message passing, add-pool and an edge path (paper, algorithm 1)."""

    def __init__(self, config: PaperGlassVAEConfig, system: System) -> None:
        c, n = config, len(system.species)
        super().__init__(system, c.cutoff, c.layers, c.width, c.latent, c.atoms)
        self.two_paths, self.decodes = c.ablation == "none", c.ablation != "gnn-mlp"
        self.embedding = nn.Linear(n, c.width)
        self.messages = nn.ModuleList(mlp(2 * c.width + 4, c.width, c.width) for _ in range(c.layers))
        self.updates = nn.ModuleList(mlp(2 * c.width, c.width, c.width) for _ in range(c.layers))
        self.posterior = nn.Linear(c.width, 2 * c.latent)
        self.edge_in = nn.Linear(4, c.width)
        self.edge_blocks = nn.ModuleList(mlp(c.width, c.width, c.width) for _ in range(c.edge_layers))
        self.head_of_energy = mlp(c.latent + (c.width if self.two_paths else 0), 2 * c.width, 1)
        self.species = nn.Linear(c.latent, c.atoms * n)
        self.shifts = mlp(c.latent, 2 * c.width, 3 * c.atoms)
        self.edges = mlp(c.latent + 4, c.width, 4)

    def atoms(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int) -> tuple[Tensor, Tensor]:
        """Contributions: node features, sums of edge features, the number of edges. All nodes must be owned."""
        i, j = edge_index[0], edge_index[1]
        attributes = _attributes(edge_vectors)
        x = self.embedding(nn.functional.one_hot(types, self.n_species).to(edge_vectors.dtype))
        for message, update in zip(self.messages, self.updates):  # noqa: B905 (TorchScript knows no strict)
            sent = message(torch.cat([x[i], x[j], attributes], dim=1))
            got = torch.zeros_like(x).index_add(0, i, sent)
            x = x + update(torch.cat([x, got / 30.0], dim=1))
        e = self.edge_in(attributes)
        for block in self.edge_blocks:
            e = e + block(e)
        edges = torch.cat([e, torch.ones_like(e[:, :1])], dim=1)
        pooled = x.new_zeros([n_owned, edges.shape[1]]).index_add(0, i, edges)
        return x[:n_owned, :0], torch.cat([x[:n_owned], pooled], dim=1)

    def head(self, pooled: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `vitrify.glassvae.models.base`; the summary holds means of edge features."""
        nodes = pooled[:, : self.node_width] / counts.unsqueeze(1)
        summary = pooled[:, self.node_width : -1] / pooled[:, -1:].clamp_min(1.0)
        mu, log_variance = self.posterior(nodes).chunk(2, dim=1)
        return mu, log_variance.clamp(-12.0, 4.0), summary

    def energy(self, mu: Tensor, summary: Tensor) -> Tensor:
        """Standardised energy for each atom (S,)."""
        if self.two_paths:
            mu = torch.cat([mu, summary], dim=1)
        found: Tensor = self.head_of_energy(mu)
        return found.squeeze(1)

    def rebuilt(
        self, z: Tensor, sample: Tensor, atom: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `FixedGlassVAE`; the positions are the input's plus a shift."""
        s = z.shape[0]
        logits = self.species(z).view(s, self.n_atoms, self.n_species)[sample, atom]
        shift = self.shifts(z).view(s, self.n_atoms, 3)[sample, atom]
        i, j = edge_index[0], edge_index[1]
        moved = _attributes(edge_vectors + shift[j] - shift[i])
        return logits, moved + self.edges(torch.cat([z[sample[i]], moved], dim=1))


class DistanceGlassVAE(FixedGlassVAE):
    """A variational autoencoder of the distance matrix of atoms in a fixed order, for distances up to the cutoff."""

    def __init__(self, config: DistanceGlassVAEConfig, system: System) -> None:
        c = config
        super().__init__(system, c.cutoff, 1, c.width, c.latent, c.atoms)
        self.first = nn.Parameter(torch.randn(c.atoms, c.atoms, c.width) / c.atoms)
        self.second = mlp(c.width, c.width, 2 * c.latent)
        self.head_of_energy = mlp(c.latent, c.width, 1)
        self.decoder = mlp(c.latent, c.width, c.atoms * c.atoms)
        self.species = nn.Linear(c.latent, c.atoms * self.n_species)

    def atoms(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int) -> tuple[Tensor, Tensor]:
        """Contributions: the part of the first layer that reads an atom's row of the matrix. All nodes are owned."""
        n, i, j = self.n_atoms, edge_index[0], edge_index[1]
        near = 1.0 - edge_vectors.square().sum(1).clamp_min(1e-12).sqrt() / self.cutoff
        structures = (n_owned + n - 1) // n
        matrix = near.new_zeros([structures * n * n]).index_add(0, i * n + j % n, near).view(structures, n, n)
        rows = torch.bmm(matrix.transpose(0, 1), self.first).transpose(0, 1).reshape(structures * n, self.node_width)
        return near.new_zeros([n_owned, 0]), rows[:n_owned]

    def head(self, pooled: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `vitrify.glassvae.models.base`; the summary is empty."""
        mu, log_variance = self.second(nn.functional.silu(pooled)).chunk(2, dim=1)
        return mu, log_variance.clamp(-12.0, 4.0), pooled[:, :0]

    def energy(self, mu: Tensor, summary: Tensor) -> Tensor:
        """Standardised energy for each atom (S,)."""
        found: Tensor = self.head_of_energy(mu)
        return found.squeeze(1)

    def rebuilt(
        self, z: Tensor, sample: Tensor, atom: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `FixedGlassVAE`; distances of numbered pairs, with the displacements of the input."""
        s = z.shape[0]
        logits = self.species(z).view(s, self.n_atoms, self.n_species)[sample, atom]
        i, j = edge_index[0], edge_index[1]
        matrix = self.decoder(z).view(s, self.n_atoms, self.n_atoms)
        distances = self.cutoff * (0.5 + matrix[sample[i], atom[i], atom[j]]).unsqueeze(1)
        return logits, torch.cat([edge_vectors, distances], dim=1)


def _attributes(vectors: Tensor) -> Tensor:
    """Displacements (E, 3) -> displacements and distances (E, 4)."""
    return torch.cat([vectors, vectors.square().sum(1, keepdim=True).clamp_min(1e-12).sqrt()], dim=1)
