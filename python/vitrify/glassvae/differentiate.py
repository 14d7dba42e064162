"""Forces and stress of a latent model, eager or TorchScript, by automatic differentiation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vitrify.engines.predictions import EnergyPrediction


def energy_prediction(module: Any, cell: Any, graph: Any) -> EnergyPrediction:
    """The prediction of a latent model, eager or TorchScript, for a `vitrify.graphs.graph.StructureGraph`.

    cell: (3, 3) rows.
    """
    vectors = graph.edge_vectors.detach().requires_grad_()
    with torch.enable_grad():
        energies, latent = module(graph.types, graph.edge_index, vectors)
        (by_edge,) = torch.autograd.grad(energies.double().sum(), vectors)
    centres, neighbours = graph.edge_index
    zero = torch.zeros([len(graph.types), 3], dtype=torch.float64, device=vectors.device)
    by_edge = by_edge.double()
    forces = zero.index_add(0, centres, by_edge).index_add(0, neighbours, -by_edge)
    # Symmetric only in the sum over the neighbours of an atom, because angles matter.
    pairs = vectors.detach().double().unsqueeze(2) * by_edge.unsqueeze(1)
    pairs = (pairs + pairs.transpose(1, 2)) * (0.25 / abs(float(np.linalg.det(cell))))
    none = torch.zeros([len(graph.types), 3, 3], dtype=torch.float64, device=vectors.device)
    stresses = none.index_add(0, centres, pairs).index_add(0, neighbours, pairs)
    results = (energies, forces, stresses.sum(0), latent, stresses)
    found = (tensor.detach().double().cpu().numpy() for tensor in results)
    return EnergyPrediction(*found)
