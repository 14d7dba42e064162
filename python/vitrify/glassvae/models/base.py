"""GlassVAE: one latent vector of a glass, from which its energy, its structure and new glasses follow.

All variants have the same methods. The contributions of the atoms are pooled (summed), the pooled features give the
latent vector, and energies follow from it and the features of each atom; forces are derivatives of their sum. A host
that holds a part of the atoms sums the pooled features over its ranks:

    features, contributions = model.atoms(types, edge_index, edge_vectors, n_owned)
    pooled = contributions.sum(0)                                                # over all atoms, of all ranks
    mu, log_variance, summary = model.head(pooled[None], counts)                 # counts (1,): atoms of all ranks
    energies = model.energies(features, types[:n_owned], sample, mu, summary)    # sample: zeros (n_owned,)

The energy is E = sum_i e_i(features_i, P) with the pooled features P. With several ranks, the backward pass has three
steps: dE/dP of the rank's own atoms; its sum over the ranks; the gradients of `features`, and of `contributions`, each
row of which gets this sum. Shapes: M nodes (owned first, then ghosts); E edges with `edge_index` (2, E) = (centre,
neighbour) and `edge_vectors` (E, 3) = r_j - r_i, for each periodic image within the cutoff; all centres are owned.
Several structures S can be computed at once, with the structure of each atom in `sample`.
"""

# No postponed annotations here: TorchScript must see the real types.

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vitrify.models.base import System


class GlassVAE(nn.Module, ABC):
    """Base of the variants; a variant defines `atoms`, `head` and `energies` as the module's docstring describes.

    reference: energy of an atom of each species (n_species,). energy_scale: spread of the energies beyond that, for
    each atom, as if atoms were independent; both in the unit of energy. property_mean, property_scale: (2,) of energy
    and inherent energy for each atom.
    """

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
        self.register_buffer("reference", torch.zeros(self.n_species))
        self.register_buffer("energy_scale", torch.ones(()))
        self.register_buffer("property_mean", torch.zeros(2))
        self.register_buffer("property_scale", torch.ones(2))

    @abstractmethod
    def atoms(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int) -> tuple[Tensor, Tensor]:
        """Features (n_owned, any) for `energies`, and contributions (n_owned, any) to the pooled features."""

    @abstractmethod
    def head(self, pooled: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pooled features (S, any) of counts (S,) atoms -> mean and log variance of z (S, latent), summary (S, any)."""

    @abstractmethod
    def energies(self, features: Tensor, types: Tensor, sample: Tensor, mu: Tensor, summary: Tensor) -> Tensor:
        """Energies (n,) of atoms, in the unit of energy.

        features: (n, any). types: (n,). sample: (n,), the structure of each atom. mu: (S, latent). summary: (S, any).
        """

    def forward(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        """The energies of the atoms of one structure, all of them owned, and its latent vector: (N,), (latent,)."""
        features, contributions = self.atoms(types, edge_index, edge_vectors, types.shape[0])
        counts = torch.ones_like(contributions[:, 0]).sum().unsqueeze(0)
        mu, _, summary = self.head(contributions.sum(0, keepdim=True), counts)
        return self.energies(features, types, torch.zeros_like(types), mu, summary), mu[0]

    @torch.jit.unused
    def calibrate(self, shares: Tensor, energies: Tensor, inherent: Tensor, atoms: float) -> None:
        """Sets the scales of energies from the training data; called once, before training.

        shares: (F, n_species), the fractions of the species in each of F structures. energies, inherent: (F,), energy
        and inherent energy for each atom, inherent NaN where it is unknown. atoms: mean number of atoms of a structure.
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
        """Start, end (unit of length) and number of the bins of g(r) in the loss."""
        return 1.5, self.cutoff, 50

    @torch.jit.unused
    def latent_space(self, species: Sequence[str], energy: str) -> dict[str, Any]:
        """The metadata about the density of z and `energy`; empty for a variant that has no density."""
        return {}

    @torch.jit.unused
    def exportable(self) -> "GlassVAE":
        """The module that the model file holds."""
        return self

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        """Sizes that the native engine needs beside the weights; empty for a variant that only TorchScript can run."""
        return {}


def graph_sums(values: Tensor, sample: Tensor, n: int) -> Tensor:
    """Sums (n, K) of rows (N, K) over the atoms of each of n structures; sample: (N,), the structure of each atom."""
    return values.new_zeros([n, values.shape[1]]).index_add(0, sample, values)
