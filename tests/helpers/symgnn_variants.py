"""What the tests of the SymGNN variants share: a small model of each, pair functions, and structures."""

from __future__ import annotations

import numpy as np
import torch

from vitrify.graphs.graph import StructureGraph
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.models import build_model
from vitrify.models.base import System
from vitrify.symgnn.models.blocks import BatchNorm
from vitrify.symgnn.models.stiffness import KNOTS

SYSTEM = System(species=("Cu", "Zr"), masses=(63.5, 91.2), units="metal", timestep=0.001)
SAMPLINGS = ("von_mises", "haar", "icosahedral", "fixed3", "none")
# fmt: off
CONFIGS = {
    **{f"paper-{s}": {"variant": "paper", "sampling": s, "transformations": 3, "quantiles": 2} for s in SAMPLINGS},
    "paper-wide": {"variant": "paper", "heads": (3, 2), "width": 8, "head_width": 8},
    "egat": {"variant": "egat"}, "mlp": {"variant": "mlp"}, "mlp-types": {"variant": "mlp", "inputs": "types"},
    "gcn": {"variant": "gcn"}, "egnn": {"variant": "egnn"}, "schnet": {"variant": "schnet"},
    "mgcn": {"variant": "mgcn"}, "faenet": {"variant": "faenet"},
    "exact": {"variant": "exact", "cutoff": 5.0, "inner": 4.0, "core": 1.0, "members": 1, "hidden": 4, "dropout": 0.0},
    "exact-stiff": {
        "variant": "exact", "cutoff": 5.0, "inner": 4.0, "core": 1.0, "members": 1, "hidden": 4, "dropout": 0.0,
        "stiffness": True,
    },
}
# fmt: on


def make_model(name: str, seed: int = 0, **settings: object) -> torch.nn.Module:
    """A model in float64, in evaluation, with random weights, and running statistics of a structure."""
    torch.manual_seed(seed)
    model = build_model("symgnn", {**CONFIGS[name], **settings}, SYSTEM).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        if name == "exact-stiff":
            model.use_potential(quartic_table(2, model.core, model.cutoff))
        for momentum in (1.0, 0.1):
            for module in model.modules():
                if isinstance(module, BatchNorm):
                    module.momentum = momentum
            model(*graph_of(*make_atoms(3, seed=9)))
        model.label_mean.copy_(torch.tensor([1.1, 1.7]))
        model.label_scale.fill_(0.4)
        model.residual.fill_(0.6)
    return model.eval()


def make_atoms(n_side: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A jittered lattice with a spacing of 2.6 in a triclinic cell: positions, cell, types."""
    rng = np.random.default_rng(seed)
    edge = 2.6 * n_side
    cell = np.array([[edge, 0, 0], [0.2 * edge, edge, 0], [-0.1 * edge, 0.15 * edge, edge]])
    grid = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = (grid + 0.5 + 0.12 * rng.normal(size=grid.shape)) / n_side @ cell
    return positions, cell, rng.integers(0, 2, len(grid))


def graph_of(positions: np.ndarray, cell: np.ndarray, types: np.ndarray, cutoff: float = 5.0) -> StructureGraph:
    return build_structure_graph(positions, cell, types, cutoff, torch.float64)


def predict(model: torch.nn.Module, *atoms: np.ndarray) -> np.ndarray:
    """The predicted property (N,)."""
    with torch.no_grad():
        return model(*graph_of(*atoms))[0].numpy()


def quartic(r: np.ndarray, end: float, strength: float) -> np.ndarray:
    """psi, psi'/r and psi'' of psi = strength (end - r)^4 at distances below `end`: (K, 3)."""
    rest = np.clip(end - r, 0.0, None)
    return strength * np.stack([rest**4, -4 * rest**3 / np.maximum(r, 1e-9), 12 * rest**2], 1)


def quartic_table(n_species: int, start: float, end: float) -> torch.Tensor:
    """A table for `use_potential`, another strength for each pair of species: the mean stiffness is about one."""
    r = np.linspace(start, end, KNOTS)
    pairs = n_species * (n_species + 1) // 2
    return torch.tensor(np.stack([quartic(r, end, (1 + 0.3 * k) * 1.3 / end**2 / pairs) for k in range(pairs)]))
