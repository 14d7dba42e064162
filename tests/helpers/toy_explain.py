"""What the tests of explanations share: a network of which it is known what matters to it, and quick settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lammps_runner import Configuration
from toy_symgnn import METAL, PROPERTY, VALIDITY
from vitrify.data.structures import LabelledStructure
from vitrify.export.write import export_model
from vitrify.symgnn.explain import topology
from vitrify.symgnn.explain.settings import Settings
from vitrify.symgnn.models.base import SymGNN

QUICK = Settings(importance="mask", epochs=5, top=10, permutations=20)
needs_homcloud = pytest.mark.skipif(topology.find_spec("homcloud") is None, reason="homcloud is not installed")


class PlantedSymGNN(SymGNN):
    """The sum over the neighbours of one species of a smooth function of length; other neighbours hardly matter."""

    def __init__(self, cutoff: float, seed: int) -> None:
        super().__init__(METAL, cutoff, layers=1, node_width=1)
        self.matters = torch.nn.Parameter(torch.tensor([1e-4, 1.0], dtype=torch.float64) * seed)

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor) -> tuple[Tensor, Tensor]:
        return self.matters[types].unsqueeze(1), edge_vectors.new_zeros([0, 0])

    def layer(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor,
        edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        fade = (1.0 - edge_vectors.square().sum(1, keepdim=True) / self.cutoff**2).clamp_min(0.0)
        return nodes.new_zeros([n_owned, 1]).index_add(0, edge_index[0], fade * nodes[edge_index[1]]), memory

    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor,
        edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        return nodes[:n_owned, 0], torch.ones_like(nodes[:n_owned, 0])


def write(path: Path, model: torch.nn.Module, variant: str, dtype: str = "float64") -> Path:
    return export_model(
        model, path, kind="symgnn", variant=variant, species=METAL.species, units="metal",
        validity=VALIDITY["metal"], property=PROPERTY["metal"], dtype=dtype,
    ).path  # fmt: skip


def as_structure(c: Configuration, name: str = "glass") -> LabelledStructure:
    n = len(c.types)
    return LabelledStructure(name, np.array(c.positions), np.array(c.cell), np.array(c.types), np.full(n, np.nan))
