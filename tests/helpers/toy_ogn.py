"""A small network that follows the contract of OGN models and depends on everything that a host passes."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lammps_runner import Array, Configuration
from vitrify.modelfile.archive import open_archive
from vitrify.modelfile.trust import remember


class ToyOGN(nn.Module):
    """Two layers of tanh messages; with `reverse_edges` the sums over incoming edges enter as well."""

    def __init__(self, cutoff: float, timestep: float, masses: tuple[float, ...], reverse_edges: bool) -> None:
        super().__init__()
        self.cutoff, self.timestep, self.reverse_edges = cutoff, timestep, reverse_edges
        self.layers, self.node_width, n = 2, 5, len(masses)
        self.strength = 1.0
        generator = torch.Generator().manual_seed(3)

        def random(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator, dtype=torch.float64) * 0.5)

        self.embedding, self.speed = random(n, 5), random(3, 5)
        self.mix, self.edge_mix = random(2, 5, 5), random(2, 2, 5)
        self.incoming, self.head = random(5, 5), random(5, 2)

    def without_interaction(self) -> ToyOGN:
        """The same model with free flight as its answer."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        self.strength = 0.0
        return self

    def envelope(self, edge_vectors: Tensor) -> Tensor:
        t = (edge_vectors.square().sum(1) / self.cutoff**2).clamp(0.0, 1.0)
        return ((1.0 - t) ** 3).unsqueeze(1)

    def start(
        self, types: Tensor, velocities: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        nodes = self.embedding[types] + velocities @ self.speed * self.timestep
        envelope = self.envelope(edge_vectors)
        return nodes, torch.cat([envelope, envelope * edge_vectors[:, :1]], dim=1)

    def layer(
        self, index: int, nodes: Tensor, edges: Tensor, types: Tensor, velocities: Tensor,
        edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        i, j = edge_index[0], edge_index[1]
        messages = torch.tanh(nodes[j] @ self.mix[index] + edges @ self.edge_mix[index]) * self.envelope(edge_vectors)
        zeros = nodes.new_zeros([nodes.shape[0], nodes.shape[1]])
        update = zeros.index_add(0, i, messages)
        if self.reverse_edges:
            update = update + zeros.index_add(0, j, messages * messages) @ self.incoming
        edges = torch.stack([edges[:, 0] + 0.1 * messages[:, 0], edges[:, 1]], dim=1)
        return (0.5 * nodes + torch.tanh(0.1 * update))[:n_owned], edges

    def finish(
        self, nodes: Tensor, edges: Tensor, types: Tensor, velocities: Tensor,
        edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        i, j = edge_index[0], edge_index[1]
        weights = (nodes[i] + nodes[j]) @ self.head * self.envelope(edge_vectors) + self.strength * edges
        pair = weights.unsqueeze(2) * edge_vectors.unsqueeze(1)
        sums = nodes.new_zeros([nodes.shape[0], 2, 3]).index_add(0, i, pair)[:n_owned]
        v = velocities[:n_owned]
        return self.timestep * v + 0.002 * sums[:, 0], 0.02 * sums[:, 1]

    def forward(
        self, types: Tensor, velocities: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        n = types.shape[0]
        nodes, edges = self.start(types, velocities, edge_index, edge_vectors)
        for index in range(self.layers):
            nodes, edges = self.layer(index, nodes, edges, types, velocities, edge_index, edge_vectors, n)
        return self.finish(nodes, edges, types, velocities, edge_index, edge_vectors, n)


def all_images_graph(c: Configuration, cutoff: float) -> tuple[Tensor, Tensor]:
    """Every pair and image closer than the cutoff, by trying far more images than can matter."""
    reach = int(np.ceil(cutoff / min(np.diag(c.cell)))) + 2
    steps = np.arange(-reach, reach + 1)
    shifts = np.array(np.meshgrid(steps, steps, steps, indexing="ij")).reshape(3, -1).T @ c.cell
    pairs, vectors = [], []
    for i in range(len(c.positions)):
        delta = c.positions[:, None, :] + shifts[None] - c.positions[i]
        square = (delta**2).sum(-1)
        j, s = np.nonzero((square < cutoff**2) & (square > 1e-12))
        pairs.append(np.stack([np.full_like(j, i), j]))
        vectors.append(delta[j, s])
    return torch.tensor(np.concatenate(pairs, 1)), torch.tensor(np.concatenate(vectors))


def predict(model: nn.Module, c: Configuration) -> tuple[Array, Array]:
    """dr, dv (N, 3) of the eager model on the brute-force graph, in the model's dtype."""
    dtype = next(model.parameters()).dtype
    edge_index, vectors = all_images_graph(c, float(model.cutoff))
    with torch.no_grad():
        dr, dv = model(torch.tensor(c.types), torch.tensor(c.velocities, dtype=dtype), edge_index, vectors.to(dtype))
    return dr.double().numpy(), dv.double().numpy()


def metadata_of(model: Any, reference: Configuration, units: str, species: list[str], **changes: Any) -> dict[str, Any]:
    """vitrify.json of a toy model, with `changes` on top."""
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    dr, dv = predict(model, reference)
    return {
        "schema": 1, "kind": "ogn", "variant": "toy", "species": species, "masses": list(reference.masses),
        "units": units, "dtype": dtype, "cutoff": model.cutoff, "layers": model.layers,
        "node_width": model.node_width, "reverse_edges": model.reverse_edges,
        "stride": 5, "base_timestep": model.timestep / 5, "timestep": model.timestep,
        "validity": {
            "temperature": [0.1, 5.0] if units == "lj" else [300.0, 2000.0], "number_density": [0.5, 2.0],
            "composition": {s: [0.0, 1.0] for s in species},
        },
        "provenance": {}, "metrics": {}, "citation": "",
        "reference": {
            "cell": reference.cell.tolist(), "positions": reference.positions.tolist(),
            "velocities": reference.velocities.tolist(), "species": [species[t] for t in reference.types],
            "dr": dr.tolist(), "dv": dv.tolist(), "tolerance": 1e-10 if dtype == "float64" else 1e-5,
        },
        **changes,
    }  # fmt: skip


def save(module: nn.Module, metadata: dict[str, Any] | None, path: Path, trusted: bool = True) -> Path:
    """Scripts a module and saves it as a stored archive, trusted or not; `None` leaves vitrify.json out."""
    extra = {} if metadata is None else {"vitrify.json": json.dumps(metadata)}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated upstream
        torch.jit.save(torch.jit.script(module), buffer, _extra_files=extra)
    with zipfile.ZipFile(buffer) as raw, zipfile.ZipFile(path, "w") as archive:
        for name in raw.namelist():
            archive.writestr(name, raw.read(name))
    if trusted:
        remember(open_archive(path))
    return path


def liquid(
    counts: tuple[int, int, int],
    density: float,
    masses: tuple[float, ...],
    speed: float,
    tilt: float = 0.0,
    seed: int = 0,
) -> Configuration:
    """A jittered simple cubic lattice with Gaussian velocities; `tilt` skews the cell by that part of it."""
    rng = np.random.default_rng(seed)
    spacing = density ** (-1 / 3)
    cell = np.diag(np.array(counts) * spacing)
    cell[1, 0], cell[2, 0], cell[2, 1] = tilt * cell[0, 0], -0.5 * tilt * cell[0, 0], 0.7 * tilt * cell[1, 1]
    grid = np.array(np.meshgrid(*[range(c) for c in counts], indexing="ij")).reshape(3, -1).T
    fractions = (grid + 0.5) / counts
    positions = fractions @ cell + 0.08 * spacing * rng.standard_normal((len(fractions), 3))
    velocities = speed * rng.standard_normal(positions.shape)
    velocities -= velocities.mean(0)
    types = rng.integers(0, len(masses), len(positions))
    types[: len(masses)] = np.arange(len(masses))
    return Configuration(cell, positions, velocities, types, masses)
