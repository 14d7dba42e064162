"""`variant: equivariant`, the GlassVAE that ships: invariant features, true periodic images, an extensive energy.

One sum over the neighbours gives each atom the moments of its neighbourhood (`EdgeBasis`); products of moments are
invariants. The energy of an atom is a function of the invariants, the species and z, plus a function of z and of the
pooled pair distances. Atoms exchange nothing but pooled features. Decoders read z, and for species the positions, but
no edge of the input.
"""

# No postponed annotations here: TorchScript must see the real types.

from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from vitrify.amshortcut.models.flow import FlowAMShortcut, FlowConfig, contracted
from vitrify.core.errors import VitrifyError
from vitrify.glassvae.models.base import GlassVAE
from vitrify.glassvae.models.edge_basis import EdgeBasis
from vitrify.glassvae.models.latent_density import Density
from vitrify.models.base import ModelConfig, System
from vitrify.models.nn import CubicSplines


class DecoderConfig(ModelConfig):
    """The flow that decodes positions from z; fields and units as in `vitrify.amshortcut.models.flow.FlowConfig`."""

    cutoff: float = Field(default=5.0, gt=0)
    width: int = Field(default=32, ge=8, le=256, multiple_of=8)
    layers: int = Field(default=3, ge=1, le=8)
    splines: int = Field(default=20, ge=8, le=64)
    condition: int = Field(default=40, ge=8)
    spread: float = Field(default=1.2, gt=0)
    shortcuts: float = Field(default=0.25, gt=0, le=1)
    shortest: float = Field(default=1 / 32, gt=0, lt=1)
    middle: float = Field(default=0.6, ge=0, le=1)


class EquivariantConfig(ModelConfig):
    """Hyperparameters of the equivariant variant; lengths in the unit of the data (A in metal units, sigma in lj).

    cutoff: of the graph (length). start: distance below which all functions of the distance are constant (length).
    splines: number of radial functions of each pair of species. width: number of moments of an atom. hidden: width of
    hidden layers. latent: length of z. summary: number of learned functions of pair distances that are pooled. bins:
    number of bins of the decoded g(r). components: number of Gaussians in the density of z. decoder: of positions.
    """

    variant: Literal["equivariant"] = "equivariant"
    cutoff: float = Field(6.5, gt=0)
    start: float = Field(1.5, ge=0)
    splines: int = Field(24, ge=8, le=64)
    width: int = Field(32, ge=8, le=256, multiple_of=8)
    hidden: int = Field(64, ge=8)
    latent: int = Field(24, ge=1, le=32)
    summary: int = Field(32, ge=1)
    bins: int = Field(50, ge=10)
    components: int = Field(4, ge=1)
    decoder: DecoderConfig = Field(default_factory=DecoderConfig)

    @model_validator(mode="after")
    def _lengths_agree(self) -> Self:
        if self.start >= self.cutoff:
            raise ValueError(f"start {self.start} is not below the cutoff {self.cutoff}")
        return self


class Invariants(nn.Module):
    """Products of moments of a neighbourhood, invariant to rotation, reflection and the order of the neighbours.

    centres: number of species of centres. Radial functions depend on the species of centre and neighbour. shift, scale:
    mean and spread of the invariants over the training data, set by `observe`.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, centres: int, basis: EdgeBasis, width: int) -> None:
        super().__init__()
        self.centres, self.width = centres, width
        splines = CubicSplines(centres * basis.kinds, width, basis.start, basis.start + 1.0, basis.size)
        self.weight = splines.weight  # (centres * kinds, size, width)
        self.mix = nn.Parameter(torch.randn(2, width, 2 * width) / width**0.5)
        self.size = 4 * width
        self.register_buffer("shift", torch.zeros(self.size))
        self.register_buffer("scale", torch.ones(self.size))

    def forward(self, sums: Tensor, types: Tensor) -> Tensor:
        """Sums A (n, kinds, size, 9) and the species of the centres (n,) -> standardised invariants (n, 4 width)."""
        return (self.raw(sums, types) - self.shift) / self.scale

    def raw(self, sums: Tensor, types: Tensor) -> Tensor:
        """The invariants (n, 4 width) without standardisation."""
        moments = for_centres(sums, self.weight, types, self.centres)
        zeroth, first, second = moments[:, 0], moments[:, 1:4], moments[:, 4:]
        a, b = (first @ self.mix[0]).chunk(2, dim=2)
        c, d = (second @ self.mix[1]).chunk(2, dim=2)
        products = (a * b).sum(1), (c * d).sum(1), (b * contracted(c, a)).sum(1)
        return torch.cat([zeroth, products[0], products[1], products[2]], dim=1)

    @torch.jit.unused
    def observe(self, sums: Tensor, types: Tensor) -> None:
        """Sets shift and scale from these atoms: sums A (n, kinds, size, 9), types (n,)."""
        with torch.no_grad():
            raw = self.raw(sums, types)
            self.shift.copy_(raw.mean(0))
            self.scale.copy_(raw.std(0).clamp_min(1e-6))


def for_centres(sums: Tensor, weight: Tensor, types: Tensor, centres: int) -> Tensor:
    """Moments (n, 9, W) from sums A (n, kinds, size, 9), with weights (centres * kinds, size, W).

    types: (n,), the species of the centres, which selects the weights.
    """
    n, w = sums.shape[0], weight.shape[2]
    inputs = sums.shape[1] * sums.shape[2]
    flat = sums.reshape(n, inputs, sums.shape[3]).transpose(1, 2)
    # One matrix product for all species of centres, from which each atom takes the part of its own species.
    table = weight.reshape(centres, inputs, w).transpose(0, 1).reshape(inputs, centres * w)
    for_all = (flat @ table).view(n, sums.shape[3], centres, w)
    own = nn.functional.one_hot(types, centres).to(sums.dtype).view(n, 1, centres, 1)
    return (for_all * own).sum(2)


class Residual(nn.Module):
    """A residual block: x + MLP(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width) -> (n, width)."""
        found: Tensor = x + self.outer(nn.functional.silu(self.inner(x)))
        return found


class Perceptron(nn.Module):
    """A linear map plus an MLP with two hidden layers; linear relations are learned quickly."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        y = nn.functional.silu(self.second(nn.functional.silu(self.first(x))))
        found: Tensor = self.linear(x) + self.out(y)
        return found


class AtomicEnergy(nn.Module):
    """The energy of an atom from its invariants, its species and z, in units of the model's energy scale."""

    def __init__(self, inputs: int, species: int, latent: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 1)
        self.first, self.species = nn.Linear(inputs, hidden), nn.Parameter(0.1 * torch.randn(species, hidden))
        self.latent = nn.Linear(latent, hidden, bias=False)
        self.second, self.out = nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        with torch.no_grad():
            self.latent.weight.mul_(0.1)

    def forward(self, x: Tensor, types: Tensor, sample: Tensor, mu: Tensor) -> Tensor:
        """Energies (n,); x: (n, inputs), types, sample (structure of each atom): (n,), mu: (S, latent)."""
        y = nn.functional.silu(self.first(x) + self.species[types] + self.latent(mu)[sample])
        energies: Tensor = self.linear(x) + self.out(nn.functional.silu(self.second(y)))
        return energies.squeeze(1)


class EquivariantGlassVAE(GlassVAE):
    """The equivariant variant, as the module's docstring describes.

    least: (n, n), smallest distance of each pair of species in the training data (length); closer atoms repel each
    other. pooled_shift, pooled_scale: (summary,), mean and spread of the pooled pair distances. rdf_mean: the mean g(r)
    (pairs, bins). density_weight (K,), density_mean (K, latent + 1), density_covariance (K, latent + 1, latent + 1):
    Gaussians of the joint density of z and the energy for each atom. state_mean, state_covariance: of number density,
    fractions of the species and z, from which the cell that goes with a z follows.
    """

    least: Tensor
    pooled_shift: Tensor
    pooled_scale: Tensor
    rdf_mean: Tensor
    density_weight: Tensor
    density_mean: Tensor
    density_covariance: Tensor
    state_mean: Tensor
    state_covariance: Tensor

    def __init__(self, config: EquivariantConfig, system: System) -> None:
        super().__init__(system, config.cutoff, 1, 4 * config.width + 1, config.latent)
        c, n = config, self.n_species
        self.config = config
        self.basis = EdgeBasis(n, c.splines, c.start, c.cutoff)
        self.invariants = Invariants(n, self.basis, c.width)
        self.energy = AtomicEnergy(self.invariants.size, n, c.latent, c.hidden)
        self.graph_path = Perceptron(self.invariants.size, c.hidden, 2 * c.latent)
        self.edge_path = CubicSplines(n * n, c.summary, c.start, c.cutoff, c.splines)
        self.edge_blocks = nn.Sequential(Residual(c.summary), Residual(c.summary))
        self.posterior = Perceptron(2 * c.latent + c.summary, c.hidden, 2 * c.latent)
        self.fusion = Perceptron(c.latent + c.summary, c.hidden, 1)
        for last in (self.fusion.linear, self.fusion.out):
            nn.init.zeros_(last.weight)
        pairs = n * (n + 1) // 2
        self.read_energies = Perceptron(c.latent, c.hidden, 2)
        self.read_rdf = Perceptron(c.latent, c.hidden, pairs * c.bins)
        self.blind_basis = EdgeBasis(1, c.splines, c.start, c.cutoff)  # does not distinguish species
        self.unlabelled = Invariants(1, self.blind_basis, c.width // 2)
        self.read_species = Perceptron(self.unlabelled.size + c.latent, c.hidden, n)
        flow = FlowConfig(**c.decoder.model_dump(), null=0.0)
        of_flow = System(system.species, system.masses, system.units, 0.0, self.latent_names())
        self.decoder = FlowAMShortcut(flow, of_flow)
        self.register_buffer("least", torch.zeros(n, n))
        self.register_buffer("pooled_shift", torch.zeros(c.summary))
        self.register_buffer("pooled_scale", torch.ones(c.summary))
        self.register_buffer("rdf_mean", torch.zeros(pairs, c.bins))
        size, states = c.latent + 1, 1 + n + c.latent
        self.register_buffer("density_weight", torch.zeros(c.components))
        self.register_buffer("density_mean", torch.zeros(c.components, size))
        self.register_buffer("density_covariance", torch.zeros(c.components, size, size))
        self.register_buffer("state_mean", torch.zeros(states))
        self.register_buffer("state_covariance", torch.zeros(states, states))

    def atoms(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int) -> tuple[Tensor, Tensor]:
        """See `vitrify.glassvae.models.base`."""
        sums = self.basis(types, edge_index, edge_vectors, n_owned)
        core = self.core(types, edge_index, edge_vectors, n_owned)
        return self.described(sums, types[:n_owned], core)

    def described(self, sums: Tensor, types: Tensor, core: Tensor) -> tuple[Tensor, Tensor]:
        """The results of `atoms`, from sums A (n, kinds, size, 9), types (n,) and the repulsion `core` (n,)."""
        x = self.invariants(sums, types)
        pairs = for_centres(sums[:, :, :, :1], self.edge_path.weight, types, self.n_species)
        return torch.cat([x, core.unsqueeze(1)], dim=1), torch.cat([self.graph_path(x), pairs[:, 0]], dim=1)

    def core(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, n_owned: int) -> Tensor:
        """Repulsion (n_owned,), in units of the energy scale, of pairs closer than any in the training data."""
        centres, neighbours = types[edge_index[0]], types[edge_index[1]]
        least = self.least[centres, neighbours]
        distances = edge_vectors.square().sum(1).clamp_min(1e-12).sqrt()
        inside = (1.0 - distances / least.clamp_min(1e-6)).clamp_min(0.0) * (least > 0.0).to(distances.dtype)
        return distances.new_zeros([n_owned]).index_add(0, edge_index[0], 100.0 * inside**3)

    def head(self, pooled: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `vitrify.glassvae.models.base`."""
        means = pooled / counts.unsqueeze(1)
        split = 2 * self.latent
        distances = (means[:, split:] - self.pooled_shift) / self.pooled_scale
        summary = self.edge_blocks(distances)
        mu, log_variance = self.posterior(torch.cat([means[:, :split], summary], dim=1)).chunk(2, dim=1)
        return mu, log_variance.clamp(-12.0, 4.0), summary

    def energies(self, features: Tensor, types: Tensor, sample: Tensor, mu: Tensor, summary: Tensor) -> Tensor:
        """See `vitrify.glassvae.models.base`."""
        x, core = features[:, :-1], features[:, -1]
        common = self.fusion(torch.cat([mu, summary], dim=1)).squeeze(1)
        local = self.energy(x, types, sample, mu) + core
        found: Tensor = self.reference[types] + self.energy_scale * (local + common[sample])
        return found

    @torch.jit.export
    def decode_energies(self, z: Tensor) -> Tensor:
        """Energy and inherent energy for each atom (S, 2), from z (S, latent)."""
        found: Tensor = self.property_mean + self.property_scale * self.read_energies(z)
        return found

    @torch.jit.export
    def decode_rdf(self, z: Tensor) -> Tensor:
        """Partial g(r) (S, pairs, bins) from z (S, latent); the pair a >= b has the index a (a + 1) / 2 + b."""
        found: Tensor = self.read_rdf(z).view(z.shape[0], self.rdf_mean.shape[0], self.rdf_mean.shape[1])
        return self.rdf_mean + found

    @torch.jit.export
    def decode_species(self, sample: Tensor, edge_index: Tensor, edge_vectors: Tensor, z: Tensor) -> Tensor:
        """Logits (N, species) of the atoms of S structures, from positions and z (S, latent) alone."""
        nothing = torch.zeros_like(sample)
        x = self.unlabelled(self.blind_basis(nothing, edge_index, edge_vectors, sample.shape[0]), nothing)
        found: Tensor = self.read_species(torch.cat([x, z[sample]], dim=1))
        return found

    @torch.jit.unused
    def density(self) -> Density:
        """The joint density of z and energy; VitrifyError if none was fitted."""
        if not bool(self.density_weight.sum() > 0.0):
            raise VitrifyError("no density of the latent vectors was fitted: finish the training of the model first")
        parts = (self.density_weight, self.density_mean, self.density_covariance)
        weights, means, covariances = (part.double().cpu().numpy() for part in parts)
        return Density(weights / weights.sum(), means, covariances)

    @torch.jit.unused
    def rdf_bins(self) -> tuple[float, float, int]:
        """See `vitrify.glassvae.models.base`."""
        return self.config.start, self.cutoff, self.config.bins

    @torch.jit.unused
    def latent_space(self, species: Sequence[str], energy: str) -> dict[str, Any]:
        """See `vitrify.glassvae.models.base`; empty until the training is finished."""
        if not bool(self.density_weight.sum() > 0.0):
            return {}
        low, high = self.density().quantiles((0.01, 0.99)).tolist()
        names = ["number_density", *(f"fraction:{name}" for name in species), *self.latent_names()]
        mean, covariance = self.state_mean.tolist(), self.state_covariance.tolist()
        return {
            "latent_energy": energy,
            "latent_energy_range": (low, high),
            "statistics": {"names": names, "mean": mean, "covariance": covariance},
        }

    @torch.jit.unused
    def latent_names(self) -> tuple[str, ...]:
        """Names of the components of z, which are properties of the decoder."""
        return tuple(f"z{number}" for number in range(self.latent))

    @torch.jit.unused
    def hyperparameters(self) -> dict[str, Any]:
        """Sizes that the native engine needs beside the weights."""
        c = self.config
        sizes = {name: getattr(c, name) for name in ("start", "splines", "width", "hidden", "latent", "summary")}
        decoder = {**self.decoder.hyperparameters(), "cutoff": self.decoder.cutoff, "layers": self.decoder.layers}
        return {**sizes, "bins": c.bins, "components": c.components, "decoder": decoder}
