"""GlassVAE: one latent vector of a glass, from which its energy, its structure and new glasses follow.

All variants share one contract. Atoms contribute to totals, the totals give the latent vector, and this and the atoms
give energies; forces are derivatives of their sum. A host that holds a part of the atoms adds up totals in between:

    features, contributions = model.atoms(types, edge_index, edge_vectors, n_owned)
    totals = contributions.sum(0)                                                # over all atoms, of all ranks
    mu, log_variance, summary = model.head(totals[None], counts)                 # counts (1,): atoms of all ranks
    energies = model.energies(features, types[:n_owned], sample, mu, summary)    # sample: zeros (n_owned,)

The energy is E = sum_i e_i(features_i, T) with the totals T, so that with several ranks the backward pass is: dE/dT of
one's own atoms; the sum of it over ranks; then the gradients of `features` and of `contributions`, each of whose rows
gets that sum. Shapes: M nodes (owned first, then ghosts), E edges with `edge_index` (2, E) = (centre, neighbour) and
`edge_vectors` (E, 3) = r_j - r_i, one for each periodic image within the cutoff, all centres owned. S structures can go
at once, with the structure of each atom in `sample`.
"""

# No postponed annotations here: TorchScript must see the real types.

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vitrify.models.base import System


class GlassVAE(nn.Module, ABC):
    """Base of the variants; a variant defines atoms, head and energies as the module's docstring says."""

    reference: Tensor
    energy_scale: Tensor
    property_mean: Tensor
    property_scale: Tensor

    def __init__(self, system: System, cutoff: float, layers: int, node_width: int, latent: int) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.layers = layers
        self.node_width = node_width
        self.latent = latent
        self.reverse_edges = False
        self.n_species = len(system.species)
        # Energy of an atom of each species, and how far structures differ, in the unit of energy: see `calibrate`.
        self.register_buffer("reference", torch.zeros(self.n_species))
        self.register_buffer("energy_scale", torch.ones(()))
        # Of energy and inherent energy for each atom.
        self.register_buffer("property_mean", torch.zeros(2))
        self.register_buffer("property_scale", torch.ones(2))

    @abstractmethod
    def atoms(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int) -> tuple[Tensor, Tensor]:
        """Features (n_owned, any) for `energies`, and what each atom adds to the totals (n_owned, any)."""

    @abstractmethod
    def head(self, totals: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Totals (S, any) over counts (S,) atoms -> mu and log variance of z (S, latent), and the summary (S, any)."""

    @abstractmethod
    def energies(self, features: Tensor, types: Tensor, sample: Tensor, mu: Tensor, summary: Tensor) -> Tensor:
        """The energy of each of n atoms (n,): features (n, any), types and structure (n,), mu (S, latent)."""

    def forward(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        """The energies of the atoms of one structure, all of them owned, and its latent vector: (N,), (latent,)."""
        features, contributions = self.atoms(types, edge_index, edge_vectors, types.shape[0])
        counts = torch.ones_like(contributions[:, 0]).sum().unsqueeze(0)
        mu, _, summary = self.head(contributions.sum(0, keepdim=True), counts)
        return self.energies(features, types, torch.zeros_like(types), mu, summary), mu[0]

    @torch.jit.unused
    def calibrate(self, shares: Tensor, energies: Tensor, inherent: Tensor, atoms: float) -> None:
        """Sets the scales of energies from the training data; called once, before training.

        shares: (F, n_species) atoms of each species over all; energies, inherent: (F,) for each atom, inherent NaN
        where it is not known; atoms: in a structure, on average.
        """
        self.reference.copy_(torch.linalg.pinv(shares) @ energies)
        spread = (energies - shares @ self.reference.to(energies)).square().mean().sqrt()
        # As if atoms were independent, so that each of them varies by about one.
        self.energy_scale.copy_((spread * atoms**0.5).clamp_min(1e-12))
        known = inherent[~inherent.isnan()]
        for number, values in enumerate((energies, known)):
            if len(values) > 1:
                self.property_mean[number] = values.mean()
                self.property_scale[number] = values.std().clamp_min(1e-12)

    @torch.jit.unused
    def rdf_bins(self) -> tuple[float, float, int]:
        """Start, end and number of the bins of g(r) that the loss compares."""
        return 1.5, self.cutoff, 50

    @torch.jit.unused
    def latent_space(self, species: Sequence[str], energy: str) -> dict[str, Any]:
        """What a model file says of the density of z and its `energy`; empty for a variant that has none."""
        return {}

    @torch.jit.unused
    def exportable(self) -> "GlassVAE":
        """The model as its file shall hold it."""
        return self

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        """What the native engine needs beside the weights; empty for a variant that only TorchScript can run."""
        return {}


def graph_sums(values: Tensor, sample: Tensor, n: int) -> Tensor:
    """Sums (n, K) of rows (N, K) over the atoms of each structure."""
    return values.new_zeros([n, values.shape[1]]).index_add(0, sample, values)
