"""A small SymGNN with random weights, for tests of every host: its answer depends on everything that a host passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lammps_runner import Array, Configuration
from toy_ogn import all_images_graph, liquid
from vitrify.export.write import export_model
from vitrify.modelfile.metadata import Validity
from vitrify.models.base import System
from vitrify.symgnn.models.base import SymGNN

LJ = System(species=("A", "B"), masses=(1.0, 2.0), units="lj", timestep=0.0)
METAL = System(species=("Cu", "Zr"), masses=(63.546, 91.224), units="metal", timestep=0.0)
CUTOFF = {"lj": 2.0, "metal": 5.0}
DENSITY = {"lj": 1.2, "metal": 0.06}
VALIDITY = {
    "lj": Validity(number_density=(1.1, 1.3), composition={"A": (0.2, 0.9), "B": (0.1, 0.8)}),
    "metal": Validity(
        number_density=(0.055, 0.065),
        composition={"Cu": (0.2, 0.8), "Zr": (0.2, 0.8)},
        min_distance=(1.3, 1.4, 1.5),
    ),
}
PROPERTY = {"lj": {"name": "propensity", "unit": ""}, "metal": {"name": "barrier", "unit": "eV"}}


class ToySymGNN(SymGNN):
    """Two layers of tanh messages; sums of vectors enter by their squares, so angles matter and rotations do not."""

    def __init__(self, system: System, cutoff: float, seed: int) -> None:
        super().__init__(system, cutoff, layers=2, node_width=5)
        generator = torch.Generator().manual_seed(seed)

        def random(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator, dtype=torch.float64) * 0.5)

        self.embedding = random(self.n_species, 5)
        self.mix, self.edge_mix, self.vector_mix = random(2, 5, 5), random(2, 2, 5), random(2, 2, 5)
        self.head, self.spread = random(5), random(5)
        self.label_mean.copy_(1.3 + 0.4 * torch.arange(self.n_species))
        self.label_scale.fill_(0.3)

    def envelope(self, edge_vectors: Tensor) -> Tensor:
        t = (edge_vectors.square().sum(1) / self.cutoff**2).clamp(0.0, 1.0)
        return ((1.0 - t) ** 3).unsqueeze(1)

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        envelope = self.envelope(edge_vectors)
        return self.embedding[types], torch.cat([envelope, envelope * envelope], dim=1)

    def layer(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor,
        edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        i, j = edge_index[0], edge_index[1]
        messages = torch.tanh(nodes[j] @ self.mix[index] + memory @ self.edge_mix[index]) * self.envelope(edge_vectors)
        sums = nodes.new_zeros([n_owned, 5]).index_add(0, i, messages)
        arrows = messages[:, :2].unsqueeze(2) * edge_vectors.unsqueeze(1) / self.cutoff
        vectors = nodes.new_zeros([n_owned, 2, 3]).index_add(0, i, arrows)
        update = 0.3 * sums + vectors.square().sum(2) @ self.vector_mix[index]
        return 0.5 * nodes[:n_owned] + torch.tanh(update), memory + 0.1 * messages[:, :2]

    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor,
        edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        mine = nodes[:n_owned]
        last = nodes.new_zeros([n_owned, 2]).index_add(0, edge_index[0], memory).sum(1)
        value = self.in_units(mine @ self.head + 0.1 * last, types[:n_owned])
        return value, self.label_scale * nn.functional.softplus(mine @ self.spread)


def make_toy(units: str = "metal", dtype: str = "float64", cutoff: float | None = None, seed: int = 3) -> ToySymGNN:
    """The eager model; cutoff 5 (Cu, Zr; metal) or 2 (A, B; lj)."""
    model = ToySymGNN(METAL if units == "metal" else LJ, cutoff or CUTOFF[units], seed)
    return model.to(getattr(torch, dtype)).eval()


def write_toy(
    path: Path, units: str = "metal", dtype: str = "float64", cutoff: float | None = None, seed: int = 3,
    **settings: Any,
) -> Path:  # fmt: skip
    """The model file of `make_toy` with the same arguments; `settings` go to `export_model`."""
    given: dict[str, Any] = {
        "kind": "symgnn", "variant": "toy", "species": (METAL if units == "metal" else LJ).species, "units": units,
        "validity": VALIDITY[units], "property": PROPERTY[units], "dtype": dtype,
    }  # fmt: skip
    return export_model(make_toy(units, dtype, cutoff, seed), path, **{**given, **settings}).path


def glass(
    units: str = "metal", counts: tuple[int, int, int] = (4, 4, 4), tilt: float = 0.0, seed: int = 0
) -> Configuration:
    """Atoms at rest on a jittered lattice, inside the toy's validity; `tilt` skews the cell by that part of it."""
    system = METAL if units == "metal" else LJ
    return liquid(counts, DENSITY[units], system.masses, speed=0.0, tilt=tilt, seed=seed)


def predict(model: nn.Module, c: Configuration) -> tuple[Array, Array]:
    """Value and deviation (N,) of the eager model on the brute-force graph, in the model's dtype."""
    dtype = next(model.parameters()).dtype
    edge_index, vectors = all_images_graph(c, float(model.cutoff))
    with torch.no_grad():
        value, deviation = model(torch.tensor(np.asarray(c.types)), edge_index, vectors.to(dtype))
    return value.double().numpy(), deviation.double().numpy()
